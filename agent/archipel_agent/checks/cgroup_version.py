"""Whether Kubernetes accepts the machine's control group version.

The kubelet refuses cgroup v1 since Kubernetes 1.35 unless `fail-cgroupv1=false` is given (kubernetes
pkg/kubelet/apis/config/validation/validation_linux.go). A site that has to live with v1 says so in a drop-in
file.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_agent.checks.versions import minor_of
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
REFUSED_SINCE = (1, 35)
LOGGED = re.compile(r"configured to not run on a host using cgroup v1")
ALLOWED = re.compile(r"^[^#]*\bfail-cgroupv1=false\b", re.MULTILINE)


def look(evidence: Evidence) -> CheckResult:
    """Judge the version of the hierarchy."""
    version = evidence.facts.cgroups.version
    if version == 2:
        return passed(SLUG, "cgroup v2")
    lines = tuple(line for line in logs.lines_now(evidence) if LOGGED.search(line))[-1:]
    if version != 1 and not lines:
        return undecided(SLUG, "the control group version could not be read")
    minor = minor_of(_k3s_version(evidence))
    if minor is not None and minor < REFUSED_SINCE:
        return passed(SLUG, f"cgroup v1, which Kubernetes {minor[0]}.{minor[1]} accepts")
    if ALLOWED.search(evidence.k3s_drop_ins or ""):
        return found(SLUG, "cgroup v1, allowed by a drop-in", finding("cgroup-v1-allowed"))
    return found(SLUG, "cgroup v1", logs.with_evidence(finding("cgroup-v1"), *lines))


def _k3s_version(evidence: Evidence) -> str:
    if evidence.k3s.version:
        return evidence.k3s.version
    if evidence.binary:
        return evidence.binary.partition(":")[2]
    return evidence.site.k3s.version if evidence.site else ""
