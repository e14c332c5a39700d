"""repair: the list of what can be repaired with its plan, one repair with what was said about it, and its way back."""

from dataclasses import replace

from archipel_contract.api import Checks
from archipel_contract.catalogue import finding
from archipel_contract.exits import Exit
from archipel_contract.findings import CheckResult, Finding, Fix, Verdict
from archipel_contract.jobs import JobRequest, JobState, Verb
from tests.agent.cli.conftest import Archipel
from tests.agent.cli.test_jobs_from_the_command_line import ending
from tests.fakes.service import ScriptedService

GONE = replace(
    finding("address-gone", address="192.0.2.7", interface="eth0", present="eth0 192.0.2.9"),
    fix=Fix(code="address-gone", restarts=True, usual_seconds=40, undo=True),
)
OTHER = finding("under-voltage")


def has_found(service: ScriptedService, *found: Finding) -> None:
    results = tuple(
        CheckResult(slug="address-changed", verdict=Verdict.FOUND, findings=(one,)) for one in found
    )
    service.check_results = Checks(phase="runtime", results=results)


def test_the_list_has_what_can_be_repaired_with_its_plan_and_command(
    agent: Archipel, service: ScriptedService
) -> None:
    has_found(service, GONE, OTHER)
    said = agent("repair")
    assert said.code == Exit.NOT_OK
    assert "This machine lost its address 192.0.2.7" in said.out
    assert "1. Take the address and the interface this machine has now" in said.out
    assert "sudo archipel repair address-gone   (restarts k3s, about 0:40)" in said.out
    assert "1 more finding is left to a person" in said.out
    assert "under-voltage" not in said.out
    assert [one["code"] for one in agent("repair", "--json").data] == ["address-gone"]


def test_with_nothing_to_repair_it_says_so(agent: Archipel, service: ScriptedService) -> None:
    has_found(service)
    said = agent("repair")
    assert (said.code, said.out) == (Exit.OK, "There is nothing that the agent could repair.\n")


def test_what_is_said_about_a_repair_goes_with_the_job(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.SUCCEEDED)
    assert agent("repair", "address-gone", "--interface", "lan7", "--yes").code == Exit.OK
    options: dict[str, str | bool | int | list[str]] = {"code": "address-gone", "interface": "lan7"}
    (planned, done) = service.requests
    assert planned == (JobRequest(verb=Verb.FIX, options=options), "plan")
    assert done[0].options == options


def test_a_repair_is_taken_back(agent: Archipel, service: ScriptedService) -> None:
    ending(service, JobState.SUCCEEDED)
    assert agent("repair", "datastore-damaged", "--undo").code == Exit.OK
    assert service.requests[-1][0].options == {"code": "datastore-damaged", "undo": True}


def test_words_without_a_finding_and_unknown_findings_are_refused(agent: Archipel) -> None:
    assert agent("repair", "--undo").code == Exit.USAGE
    assert agent("repair", "no-such-thing").code == Exit.USAGE
