"""Judge: health, conditions and the one sentence, from what was observed. Pure."""

from archipel_agent import clocks
from archipel_agent.checks import link_trouble
from archipel_agent.checks.base import Evidence
from archipel_agent.k3s.certificates import first_to_end
from archipel_contract.facts import ClockQuality, NodeUsage
from archipel_contract.findings import Finding, Severity, worst
from archipel_contract.site import Desired, SiteDocument
from archipel_contract.status import (
    ClusterStatus,
    Condition,
    EnrolmentStatus,
    Health,
    K3sStatus,
    ServiceState,
    Truth,
)

HOT_C = 75.0  # a Raspberry Pi begins to slow down at 80
SHORT_MEMORY = 0.9
SKEW_MS = clocks.SKEW.total_seconds() * 1000


def health(
    site: SiteDocument | None, evidence: Evidence, findings: tuple[Finding, ...], working: bool
) -> Health:
    """Return the one word."""
    if working:
        return Health.WORKING
    if site is None:
        return Health.NOT_SET_UP
    if site.desired is Desired.STOPPED:
        return Health.STOPPED
    if any(one.severity is Severity.PROBLEM for one in findings):
        return Health.UNHEALTHY
    if evidence.cluster is None:
        return Health.UNKNOWN
    return Health.HEALTHY if is_good(site, evidence.cluster) else Health.UNHEALTHY


def membership(enrolment: EnrolmentStatus | None) -> tuple[str, ...]:
    """Return what of an enrolment, when it changes, people should see at once."""
    return () if enrolment is None else (enrolment.state, enrolment.code, enrolment.claim, enrolment.fleet)


def is_good(site: SiteDocument, cluster: ClusterStatus) -> bool:
    """Whether API, every node of the site and every pod are as they should be."""
    names = {node.name for node in cluster.nodes if node.ready}
    nodes_ready = all(node.node_name in names for node in site.nodes)
    return cluster.ready and nodes_ready and all(pod.ready for pod in cluster.pods)


def fingerprint(evidence: Evidence) -> tuple[object, ...]:
    """Return what, when it changes, makes a closer look worth its cost."""
    cluster = evidence.cluster
    pods = tuple((pod.name, pod.ready, pod.reason) for pod in cluster.pods) if cluster else ()
    nodes = tuple((node.name, node.ready, node.reason) for node in cluster.nodes) if cluster else ()
    network = tuple(
        (nic.name, nic.addresses, nic.up, nic.carrier) for nic in evidence.facts.nics if not nic.virtual
    )
    time = evidence.time
    off = time is not None and time.offset_ms is not None and abs(time.offset_ms) >= SKEW_MS
    clock = (evidence.clock, off, time is not None and time.checks_dates)
    state = (evidence.k3s.state, evidence.k3s.pid, evidence.k3s.restarts, *clock)
    kernel = tuple(sorted(evidence.kernel_settings.items()))
    link = link_trouble.codes(evidence.link, evidence.now)
    return (
        *state,
        *_loads(evidence.usage),
        kernel,
        network,
        bool(cluster and cluster.ready),
        nodes,
        pods,
        link,
        membership(evidence.enrolment),
        _answers(evidence),
        evidence.ups,
        evidence.failing,
    )


def _answers(evidence: Evidence) -> tuple[object, ...]:
    """Return what of an answer file moves: which one it is, how far it has come, and what stands in its way."""
    seen = evidence.answers
    return (seen.state, seen.sha256, seen.waits_for, *(one.code for one in seen.findings)) if seen else ()


def _loads(usage: NodeUsage) -> tuple[object, ...]:
    """Return the machine's loads in steps so coarse that only a real change crosses one."""
    disk = _share(usage.disk_used_bytes, usage.disk_total_bytes)
    memory = _share(usage.memory_used_bytes, usage.memory_total_bytes)
    heat = usage.temperature_c is not None and usage.temperature_c >= HOT_C
    return (
        usage.throttling,
        disk is not None and int(disk * 20),
        memory is not None and memory > SHORT_MEMORY,
        heat,
    )


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def sentence(
    site: SiteDocument | None,
    evidence: Evidence,
    findings: tuple[Finding, ...],
    did: tuple[str, ...],
    job: str,
) -> str:
    """Return what this turn saw and did."""
    seen = _seen(site, evidence, findings, job)
    return f"{'; '.join(did)}; {seen}" if did else seen


def _seen(site: SiteDocument | None, evidence: Evidence, findings: tuple[Finding, ...], job: str) -> str:
    if job:
        return f"the job {job} is running"
    if site is None:
        return "this machine is not a site yet; `archipel up` makes it one"
    if site.desired is Desired.STOPPED:
        return f"site {site.name} is stopped, as asked; `archipel up` starts it"
    gravest = worst(tuple(one for one in findings if one.severity is Severity.PROBLEM))
    if gravest is not None:
        return gravest.summary
    cluster = evidence.cluster
    if cluster is None or not cluster.reachable:
        return f"site {site.name}: {_k3s_words(evidence.k3s)}, its API does not answer"
    running = sum(pod.ready for pod in cluster.pods)
    return f"site {site.name}: {_nodes_words(site, cluster)}, {running} of {len(cluster.pods)} pods ready"


def _nodes_words(site: SiteDocument, cluster: ClusterStatus) -> str:
    own = {node.node_name for node in site.nodes}
    ready = sum(node.ready for node in cluster.nodes if node.name in own)
    joined = sum(node.name not in own for node in cluster.nodes)
    return f"{ready} of {len(own)} nodes ready" + (f" and {joined} joined by hand" if joined else "")


def _k3s_words(k3s: K3sStatus) -> str:
    words = {
        ServiceState.ABSENT: "k3s is not set up",
        ServiceState.STOPPED: "k3s does not run",
        ServiceState.STARTING: "k3s is starting",
        ServiceState.RUNNING: "k3s runs",
        ServiceState.FAILING: "k3s keeps ending",
    }
    return words.get(k3s.state, "k3s cannot be seen")


def conditions(site: SiteDocument | None, evidence: Evidence) -> tuple[Condition, ...]:
    """Return the conditions as of now, without transition times."""
    generation = site.generation if site else 0
    cluster = evidence.cluster
    k3s = evidence.k3s
    answers = [
        (
            "K3sRunning",
            _truth(k3s.state is ServiceState.RUNNING, k3s.state is not ServiceState.UNKNOWN),
            k3s.state.value,
        ),
        ("ApiReady", _truth(bool(cluster and cluster.ready), cluster is not None), _api_reason(cluster)),
        ("NodeReady", *_node(site, cluster)),
        ("PodsReady", *_pods(cluster)),
        (
            "ClockTrusted",
            _truth(evidence.clock is not ClockQuality.WRONG, evidence.clock is not ClockQuality.UNKNOWN),
            evidence.clock.value,
        ),
    ]
    told = [
        Condition(type=kind, status=status, reason=_camel(reason), observed_generation=generation)
        for kind, status, reason in answers
    ]
    if site is not None and site.desired is Desired.RUNNING:
        told.append(_certificates(evidence, generation))
    return tuple(told)


def _truth(holds: bool, known: bool) -> Truth:
    return Truth.UNKNOWN if not known else Truth.TRUE if holds else Truth.FALSE


def _api_reason(cluster: ClusterStatus | None) -> str:
    if cluster is None:
        return "not-asked"
    return "ready" if cluster.ready else "not-ready" if cluster.reachable else "unreachable"


def _node(site: SiteDocument | None, cluster: ClusterStatus | None) -> tuple[Truth, str]:
    if site is None or cluster is None or not cluster.reachable:
        return Truth.UNKNOWN, "not-asked"
    node = next((one for one in cluster.nodes if one.name == site.nodes[0].node_name), None)
    if node is None:
        return Truth.FALSE, "not-registered"
    return _truth(node.ready, True), node.reason or "ready"


def _pods(cluster: ClusterStatus | None) -> tuple[Truth, str]:
    if cluster is None or not cluster.reachable:
        return Truth.UNKNOWN, "not-asked"
    first = next((pod for pod in cluster.pods if not pod.ready), None)
    return (Truth.TRUE, "all-ready") if first is None else (Truth.FALSE, first.reason or "not-ready")


def _certificates(evidence: Evidence, generation: int) -> Condition:
    """Whether k3s' certificates hold now; unknown where nobody stands behind the clock. The message says until when."""
    first, time = first_to_end(evidence.certificates or ()), evidence.time
    status, reason = Truth.UNKNOWN, "not-read" if first is None else "clock-unsure"
    if first is not None and time is not None and time.checks_dates:
        holds = first.ends > time.now
        status, reason = (Truth.TRUE, "valid") if holds else (Truth.FALSE, "ended")
    return Condition(
        type="CertificatesValid",
        status=status,
        reason=_camel(reason),
        message=f"until {first.ends:%Y-%m-%d}" if first else "",
        observed_generation=generation,
    )


def _camel(reason: str) -> str:
    """Return `not-asked` as `NotAsked`, the form Kubernetes asks of reasons."""
    return "".join(part[:1].upper() + part[1:] for part in reason.replace("_", "-").split("-"))
