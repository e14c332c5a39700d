"""The list of troubles of k3s against the checks, the findings and the recordings: nothing is claimed that is not there."""

import importlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.checks.registry import CHECKS
from archipel_contract import catalogue
from tests.agent.checks.machines import LOGS
from tests.agent.checks.test_recorded_logs import HEALTHY, TOGETHER, found_in

ROOT = Path(__file__).resolve().parents[3]
LIST = LOGS.parent / "patterns.toml"
HOW_MANY = 41
SLUGS = {check.__name__.rpartition(".")[2].replace("_", "-") for check in CHECKS}
# Recordings of troubles that the list does not number: what a host without privileges meets, and memory that runs out.
BESIDE_THE_LIST = {
    "cgroup-read-only",
    "kernel-setting-wrong",
    "pod-sandbox-refused",
    "pod-sandbox-refused.containerd",
    "containerd-failed.containerd",
    "documented/memory-pressure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One entry."""

    id: int
    what: str
    check: str = ""
    codes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    tested: str = ""
    reason: str = ""
    several: str = ""


def pattern(one: dict[str, Any]) -> Pattern:
    """An entry of the list; its lists cannot be changed."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in one.items()
    }
    return Pattern(**values)


def read() -> tuple[Pattern, ...]:
    return tuple(map(pattern, tomllib.loads(LIST.read_text(encoding="utf-8"))["pattern"]))


PATTERNS = read()
ONE_NODE = [one for one in PATTERNS if not one.several]


def named(one: Pattern) -> str:
    return f"{one.id} {one.what}"


def test_every_number_stands_there_once_and_in_order() -> None:
    assert [one.id for one in PATTERNS] == list(range(1, HOW_MANY + 1))


@pytest.mark.parametrize("one", [one for one in PATTERNS if one.several], ids=named)
def test_what_takes_several_nodes_claims_nothing_and_says_why(one: Pattern) -> None:
    assert one.several.endswith(".")
    assert (one.check, one.codes, one.evidence, one.tested, one.reason) == ("", (), (), "", "")


@pytest.mark.parametrize("one", ONE_NODE, ids=named)
def test_what_one_node_can_meet_has_a_check_and_its_findings(one: Pattern) -> None:
    if one.check == "command":
        assert not one.codes
        return
    assert one.check in SLUGS
    assert one.codes
    for code in one.codes:
        catalogue.entry(code)
    module = importlib.import_module(f"archipel_agent.checks.{one.check.replace('-', '_')}")
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert any(f'"{code}"' in source for code in one.codes)


@pytest.mark.parametrize("one", ONE_NODE, ids=named)
def test_its_evidence_is_there_and_leads_to_it(one: Pattern) -> None:
    assert one.evidence or one.tested
    for name in one.evidence:
        assert (LOGS / f"{name}.log").is_file(), name
        if name not in HEALTHY and name != TOGETHER:
            assert set(found_in(name)) & set(one.codes), (name, sorted(found_in(name)))


@pytest.mark.parametrize("one", ONE_NODE, ids=named)
def test_what_rests_on_documents_alone_or_in_part_says_why(one: Pattern) -> None:
    documented = [name for name in one.evidence if name.startswith("documented/")]
    needs_reason = bool(documented or one.tested)
    assert bool(one.reason) == needs_reason


@pytest.mark.parametrize("one", [one for one in PATTERNS if one.tested], ids=named)
def test_the_test_it_names_exists(one: Pattern) -> None:
    file, _, name = one.tested.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_recording_stands_for_something() -> None:
    listed = {name for one in PATTERNS for name in one.evidence}
    there = {str(path.relative_to(LOGS)).removesuffix(".log") for path in LOGS.rglob("*.log")}
    assert there - listed - BESIDE_THE_LIST == HEALTHY - {"no-default-route", "pod-network-late"}


def test_most_of_what_one_node_can_meet_was_brought_about_for_real() -> None:
    real = [one for one in ONE_NODE if any("/" not in name for name in one.evidence)]
    assert len(real) >= 27, sorted(one.id for one in ONE_NODE if one not in real)
