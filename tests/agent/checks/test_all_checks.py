"""What holds for every check: slugs, phases, no answer without evidence, no exception whatever a log holds."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

import archipel_agent.checks
from archipel_agent.checks import registry
from archipel_agent.checks.base import CheckModule, Evidence, Phase, slug_of
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Verdict
from archipel_contract.status import ServiceState
from tests.agent.checks.machines import BLIND, FRESH, GOOD, LOGS

FOLDER = Path(archipel_agent.checks.__file__).parent
# What helps checks and is none.
HELPERS = {
    "__init__",
    "addresses",
    "amounts",
    "base",
    "fixes",
    "link_trouble",
    "logs",
    "registry",
    "versions",
}
# These judge a text that is empty when nothing is wrong, and who may do what, which is always known.
ALWAYS_DECIDED = {"settings", "own-state", "rights"}

# Pieces that patterns look for, so that random lines come near them.
PIECES = [
    word
    for path in sorted(LOGS.rglob("*.log"))
    for line in path.read_text(encoding="utf-8").splitlines()[1:]
    for word in re.findall(r"[^\"\\]{4,60}", line)[:40]
]
LINES = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from([*PIECES, '"', '\\"', " ", "level=fatal msg="]), max_size=6).map("".join),
    ),
    max_size=12,
)


def by_slug(check: CheckModule) -> str:
    return slug_of(check.__name__)


def test_the_registry_lists_every_check_once() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - HELPERS
    listed = [check.__name__.rpartition(".")[2] for check in registry.CHECKS]
    assert sorted(listed) == sorted(modules)


@pytest.mark.parametrize("check", registry.CHECKS, ids=by_slug)
def test_a_check_answers_under_its_own_name_in_a_phase_of_its_own(check: CheckModule) -> None:
    assert check.PHASES
    assert check.look(GOOD).slug == by_slug(check)
    assert check.look(BLIND).slug == by_slug(check)


@pytest.mark.parametrize("check", registry.CHECKS, ids=by_slug)
def test_no_evidence_is_never_ok(check: CheckModule) -> None:
    verdict = check.look(BLIND).verdict
    if by_slug(check) in ALWAYS_DECIDED:
        assert verdict is not Verdict.UNDECIDED
    else:
        assert verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("phase", Phase)
def test_a_good_machine_passes_every_check_of_both_phases(phase: Phase) -> None:
    evidence = FRESH if phase is Phase.PREFLIGHT else GOOD
    results = registry.look_all(evidence, phase)
    assert {result.slug for result in results if result.verdict is not Verdict.OK} == set()
    assert all(result.said for result in results)


def test_each_phase_runs_its_own_checks_in_the_order_of_the_registry() -> None:
    for phase in Phase:
        wanted = [by_slug(check) for check in registry.CHECKS if phase in check.PHASES]
        assert [result.slug for result in registry.look_all(GOOD, phase)] == wanted


def test_what_follows_stands_behind_its_causes() -> None:
    order = [by_slug(check) for check in registry.CHECKS]
    assert order[-4:] == ["k3s-service", "kubernetes-api", "node", "pods"]
    assert order.index("memory-cgroup") < order.index("cgroup-writable") < order.index("k3s-service")


def test_the_same_finding_of_two_checks_is_one_with_the_evidence_of_both() -> None:
    first, second = finding("disk-pressure", ("a",)), finding("disk-pressure", ("b", "a"))
    other = finding("port-taken-unknown", ("c",), None, ports="6443/tcp", port="6443")
    results = [
        CheckResult(slug="x", verdict=Verdict.FOUND, findings=(one,)) for one in (first, other, second)
    ]
    merged = registry.findings(tuple(results))
    assert [one.code for one in merged] == ["disk-pressure", "port-taken-unknown"]
    assert merged[0].evidence == ("a", "b")


def test_findings_with_other_parameters_stay_apart() -> None:
    pair = tuple(
        CheckResult(slug="x", verdict=Verdict.FOUND, findings=(finding("node-missing", name=name),))
        for name in ("n1", "n2")
    )
    assert [one.params["name"] for one in registry.findings(pair)] == ["n1", "n2"]


@hypothesis.given(lines=LINES, containerd=LINES, state=st.sampled_from(ServiceState), known=st.booleans())
def test_no_log_makes_a_check_raise_and_no_sentence_lacks_a_parameter(
    lines: list[str], containerd: list[str], state: ServiceState, known: bool
) -> None:
    base = GOOD if known else replace(BLIND, site=GOOD.site)
    evidence = replace(
        base,
        k3s_log=tuple(lines),
        containerd_log=tuple(containerd),
        k3s=replace(GOOD.k3s, state=state, restarts=3),
        cluster=None,
    )
    for phase in Phase:
        for one in registry.findings(registry.look_all(evidence, phase)):
            assert len(one.evidence) <= registry.EVIDENCE_LINES
            assert not re.search(r"\?[a-z]", one.summary + one.next_step)


def lacking(field: str) -> Evidence:
    """A good machine of which one thing could not be read."""
    unread: Any = {} if field in ("disks", "modules", "kernel_settings") else None
    return replace(GOOD, **{field: unread})


@pytest.mark.parametrize(
    ("field", "slugs"),
    [
        ("k3s_log", {"k3s-options", "containerd", "datastore-health", "disk-pressure", "pod-sandbox"}),
        ("cluster", {"kubernetes-api", "node", "pods"}),
        ("disks", {"disk-space", "disk-kind", "disk-writable"}),
        ("modules", {"vxlan"}),
        ("kernel_settings", {"kernel-settings"}),
        ("resolv_conf_upstream", set()),
    ],
)
def test_one_thing_unread_leaves_undecided_what_rests_on_it(field: str, slugs: set[str]) -> None:
    results = registry.look_all(lacking(field), Phase.RUNTIME)
    undecided = {result.slug for result in results if result.verdict is Verdict.UNDECIDED}
    assert slugs <= undecided
    assert not [result for result in results if result.verdict is Verdict.FOUND]
