"""Each recorded log leads to its finding, and the logs of good starts lead to none."""

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.checks import logs, registry
from archipel_agent.checks.base import Evidence, Phase
from archipel_contract.facts import Cgroups
from archipel_contract.findings import Finding
from archipel_contract.status import ServiceState
from tests.agent.checks.machines import GOOD, LOGS, recorded, with_facts

ALL = sorted(str(path.relative_to(LOGS))[: -len(".log")] for path in LOGS.rglob("*.log"))
# Read together with the log of k3s at the same moment.
TOGETHER = "containerd-failed.containerd"
HEALTHY = {
    "healthy-address-changed",
    "healthy-first-start",
    "healthy-restart",
    "no-default-route",
    "pod-network-late",
}
# Findings that stand beside the one a recording is named after.
BESIDE = {"k3s-crash-loop", "k3s-crash-loop-silent"}
ALSO = {
    "healthy-address-changed": {
        "k3s-crash-loop"
    },  # it ended once, and is taken here for one that keeps ending
    "disk-pressure-write": {"flannel-ended"},
    "k3s-option-wrong-kubelet": {"k3s-option-unknown"},
}


def state_of(lines: tuple[str, ...]) -> ServiceState:
    """A log in which k3s named its end is the log of a k3s that keeps ending."""
    return ServiceState.FAILING if logs.primary_cause(lines) else ServiceState.RUNNING


def evidence_of(name: str) -> Evidence:
    """A machine of which only the log is known: nothing else may decide."""
    lines = recorded(name)
    blind = with_facts(GOOD, cgroups=Cgroups(), raspberry_pi=name.endswith("-pi"))
    if name.endswith(".containerd"):
        return replace(blind, containerd_log=lines, cluster=None)
    return replace(
        blind,
        k3s_log=lines,
        k3s=replace(GOOD.k3s, state=state_of(lines), restarts=4),
        cluster=None,
        kernel_settings={},
        resolv_conf=None,
        resolv_conf_upstream=None,
    )


@functools.cache
def found_in(name: str) -> dict[str, Finding]:
    results = registry.look_all(evidence_of(name), Phase.RUNTIME)
    return {one.code: one for one in registry.findings(results)}


@pytest.mark.parametrize("name", [name for name in ALL if name not in {*HEALTHY, TOGETHER}])
def test_a_recording_leads_to_the_finding_it_is_named_after_and_to_no_other(name: str) -> None:
    found = found_in(name)
    wanted = Path(name).name.removesuffix(".containerd")
    named = {code for code in found if wanted == code or wanted.startswith(f"{code}-")}
    assert named, f"{wanted} was not found, only {sorted(found)}"
    assert set(found) - named - BESIDE - ALSO.get(wanted, set()) == set()


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_the_log_of_a_good_start_leads_to_nothing(name: str) -> None:
    assert set(found_in(name)) == ALSO.get(name, set())


@pytest.mark.parametrize("name", [name for name in ALL if name not in {*HEALTHY, TOGETHER}])
def test_what_a_recording_shows_is_quoted_as_evidence(name: str) -> None:
    for code, finding in found_in(name).items():
        if code not in BESIDE:
            assert finding.evidence, code
            assert "?" not in finding.summary + finding.next_step


def test_pods_that_started_before_their_network_are_found_until_it_is_there() -> None:
    lines = recorded("pod-network-late")
    written = next(number for number, line in enumerate(lines) if "Wrote flannel subnet file" in line)
    before = replace(evidence_of("pod-network-late"), k3s_log=lines[:written])
    codes = {one.code for one in registry.findings(registry.look_all(before, Phase.RUNTIME))}
    assert codes == {"pod-network-missing"}


def test_why_containerd_ended_is_quoted_from_its_own_log() -> None:
    both = replace(evidence_of("containerd-failed"), containerd_log=recorded(TOGETHER))
    found = {one.code: one for one in registry.findings(registry.look_all(both, Phase.RUNTIME))}
    assert "containerd exited" in found["containerd-failed"].evidence[0]
    assert "failed to unmarshal TOML at row 2 column 3" in found["containerd-failed"].evidence[-1]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        (
            "cgroup-v1",
            "kubelet exited: failed to validate kubelet configuration, error: kubelet is configured to",
        ),
        (
            "port-taken-logged-6443",
            "Error: preparing server: failed to start supervisor listener: listen tcp :6443: bind:",
        ),
        (
            "kernel-setting-wrong",
            'Failed to start ContainerManager" err="[invalid kernel flag: vm/overcommit_memory',
        ),
        ("containerd-failed-killed", "containerd exited: signal: killed"),
        (
            "datastore-damaged",
            "Error: preparing server: failed to bootstrap cluster data: creating storage endpoint",
        ),
    ],
)
def test_the_cause_k3s_names_for_its_end_is_found(name: str, cause: str) -> None:
    assert logs.primary_cause(recorded(name)).startswith(cause)


@pytest.mark.parametrize("path", sorted(LOGS.rglob("*.log")), ids=lambda path: str(path.relative_to(LOGS)))
def test_each_recording_says_where_it_comes_from_and_holds_no_secret(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = text.splitlines()[0]
    assert header.startswith("# Documented, " if path.parent.name == "documented" else "# k3s v1.")
    assert "Provoked: " in header or path.parent.name == "documented"
    assert "PRIVATE KEY" not in text
    assert "::server:" not in text
    assert "/work" not in text
