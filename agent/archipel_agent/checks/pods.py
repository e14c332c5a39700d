"""Whether the pods of the site run: Kubernetes' own (kube-system) and the site's.

Each kind of trouble is one finding that names its pods; in kube-system it is a problem, elsewhere a warning,
because the node as such works.
"""

from archipel_agent.checks import logs
from archipel_agent.checks.base import RUNTIME, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding, Severity
from archipel_contract.status import Pod

SLUG = slug_of(__name__)
PHASES = RUNTIME
CORE = "kube-system"
CODES = {
    "ErrImagePull": "pod-image-missing",
    "ImagePullBackOff": "pod-image-missing",
    "ErrImageNeverPull": "pod-image-missing",
    "InvalidImageName": "pod-image-missing",
    "CrashLoopBackOff": "pod-crash-loop",
    "Error": "pod-crash-loop",
    "OOMKilled": "pod-out-of-memory",
    "Unschedulable": "pod-unschedulable",
    "Evicted": "pod-evicted",
}
NAMED = 3


def look(evidence: Evidence) -> CheckResult:
    """Judge every pod that should run."""
    cluster = evidence.cluster
    if cluster is None or not cluster.reachable:
        return undecided(SLUG, "the API does not answer")
    pods = [pod for pod in cluster.pods if pod.phase != "Succeeded"]
    if not pods:
        return undecided(SLUG, "no pods are known yet")
    groups: dict[str, list[Pod]] = {}
    for pod in pods:
        if not pod.ready:
            groups.setdefault(CODES.get(pod.reason, "pods-not-ready"), []).append(pod)
    ready = sum(pod.ready for pod in pods)
    said = f"{ready} of {len(pods)} ready"
    return (
        found(SLUG, said, *(_finding(*group) for group in groups.items())) if groups else passed(SLUG, said)
    )


def _finding(code: str, pods: list[Pod]) -> Finding:
    core = any(pod.namespace == CORE for pod in pods)
    names = ", ".join(f"{pod.namespace}/{pod.name}" for pod in pods[:NAMED])
    if len(pods) > NAMED:
        names += f" (+{len(pods) - NAMED})"
    first = pods[0]
    lines = [f"{pod.namespace}/{pod.name}: {pod.reason or pod.phase} {pod.message}".strip() for pod in pods]
    one = finding(
        code,
        severity=Severity.PROBLEM if core else Severity.WARNING,
        pods=names,
        reason=first.reason or first.phase,
        namespace=first.namespace,
        pod=first.name,
    )
    return logs.with_evidence(one, *lines)
