"""Whether the kernel settings are those kubelet insists on.

We run k3s with `protect-kernel-defaults`, so kubelet refuses any other value (kubernetes
pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables). `up` sets them; before that a difference is
only said, afterwards it is what keeps k3s from starting next time.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, Phase, found, passed, slug_of, undecided
from archipel_agent.k3s.config import KERNEL_SETTINGS
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = BOTH

LOGGED = re.compile(
    r"invalid kernel flag: (?P<name>[\w/.]+)"
    r", expected value: (?P<wanted>-?\d+), actual value: (?P<found>-?\d+)"
)


def look(evidence: Evidence) -> CheckResult:
    """Judge each setting; what cannot be read is taken from what kubelet said of it."""
    measured = {name: evidence.kernel_settings.get(name) for name in KERNEL_SETTINGS}
    wrong = {
        name: value
        for name, value in measured.items()
        if value is not None and value.split() != [KERNEL_SETTINGS[name]]
    }
    lines, refused = _refused(evidence)
    for name, value in refused.items():
        if measured.get(name) is None:
            wrong[name] = value
    if wrong and not lines and evidence.site is not None and evidence.site.adopted:
        return passed(SLUG, "adopted: its kubelet takes them as they are")
    if wrong:
        said = " ".join(f"{name}={value}" for name, value in wrong.items())
        return found(SLUG, said, logs.with_evidence(_finding(evidence, wrong), *lines))
    unread = [name for name, value in measured.items() if value is None]
    if unread:
        return undecided(SLUG, f"could not be read: {' '.join(unread)}")
    return passed(SLUG, f"all {len(KERNEL_SETTINGS)} as kubelet wants them")


def _refused(evidence: Evidence) -> tuple[tuple[str, ...], dict[str, str]]:
    lines = [line for line in logs.lines_now(evidence) if LOGGED.search(line)][-1:]
    refused = {one["name"].replace("/", "."): one["found"] for line in lines for one in LOGGED.finditer(line)}
    return tuple(lines), {name: value for name, value in refused.items() if name in KERNEL_SETTINGS}


def _finding(evidence: Evidence, wrong: dict[str, str]) -> Finding:
    before = evidence.phase is Phase.PREFLIGHT
    return finding(
        "kernel-setting-changes" if before else "kernel-setting-wrong",
        found=" ".join(f"{name}={value.strip()}" for name, value in wrong.items()),
        wanted=" ".join(f"{name}={KERNEL_SETTINGS[name]}" for name in wrong),
    )
