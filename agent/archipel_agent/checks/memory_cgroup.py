"""Whether the kernel offers the control group controllers k3s insists on.

k3s pkg/cgroups/cgroups_linux.go refuses to start without `memory` (v1) or `cpu`, `cpuset`, `memory` (v2), and
pkg/daemons/agent/agent_linux.go without `pids`. On a Raspberry Pi memory is off unless the kernel command
line asks.
"""

import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = BOTH
ASKED = "cgroup_enable=memory"
NEEDED = ("cpu", "cpuset", "memory", "pids")
LOGGED = re.compile(
    r"failed to find \w+ cgroup \(v2\)|[Ff]ailed to find memory cgroup, you may need"
    r"|pids cgroup controller not found|Following Cgroup subsystem not mounted"
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the controllers."""
    cgroups = evidence.facts.cgroups
    if not cgroups.controllers:
        return _from_log(evidence)
    missing = [name for name in NEEDED if name not in cgroups.controllers]
    said = f"cgroup v{cgroups.version}: {' '.join(cgroups.controllers)}"
    if not missing:
        return passed(SLUG, said)
    return found(SLUG, said, _finding(evidence, missing, said))


def _from_log(evidence: Evidence) -> CheckResult:
    logged = [line for line in logs.lines_now(evidence) if LOGGED.search(line)]
    if not logged:
        return undecided(SLUG, "the control group controllers could not be read")
    missing = [name for name in NEEDED if re.search(rf"\b{name}\b", logged[-1])]
    return found(SLUG, "k3s found controllers missing", _finding(evidence, missing, "controllers: ?"))


def _finding(evidence: Evidence, missing: list[str], said: str) -> Finding:
    lines = [said]
    if evidence.kernel_command_line:
        lines.append(f"kernel command line: {evidence.kernel_command_line.strip()}")
    lines += [line for line in logs.lines_now(evidence) if LOGGED.search(line)][-1:]
    controllers = ", ".join(missing)
    line = evidence.boot_line
    if "memory" not in missing:
        one = finding("cgroup-controllers-missing", controllers=controllers)
    elif not evidence.facts.raspberry_pi:
        one = finding("memory-cgroup-off", controllers=controllers)
    elif ASKED in (evidence.kernel_command_line or "").split():
        one = finding("memory-cgroup-ignored", controllers=controllers)
    elif line is not None and line.is_one_line and not line.lacking():
        one = finding("memory-cgroup-waits", controllers=controllers, path=str(line.path))
    else:
        one = finding("memory-cgroup-off-pi", controllers=controllers)
    return logs.with_evidence(one, *lines)
