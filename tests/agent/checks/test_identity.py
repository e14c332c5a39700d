"""What is found about a machine's place in its fleet: a word for each thing that can be wrong, and never a sick site."""

from dataclasses import replace

import pytest

from archipel_agent.checks import identity
from archipel_contract.catalogue import LANGUAGES, entries, words
from archipel_contract.findings import Severity, Verdict
from archipel_contract.status import EnrolmentStatus, Membership
from tests.agent.checks.machines import GOOD

SEEN = EnrolmentStatus(
    state=Membership.REFUSED,
    address="https://fleet.example:8471",
    fleet="Plants of the north",
    claim="7k2m-9qxf-04hv",
    certificate_until="2027-11-22T07:00:00Z",
    message="no route to host",
    file="/var/lib/archipel/identity/device.key",
)


def test_a_machine_without_a_fleet_needs_none() -> None:
    result = identity.look(replace(GOOD, enrolment=EnrolmentStatus()))
    assert (result.verdict, result.said) == (Verdict.OK, "this machine belongs to no fleet")


def test_a_command_that_looks_by_itself_does_not_know() -> None:
    for seen in (None, EnrolmentStatus(state=Membership.UNKNOWN)):
        assert identity.look(replace(GOOD, enrolment=seen)).verdict is Verdict.UNDECIDED


def test_a_machine_that_is_enrolled_says_with_whom_and_until_when() -> None:
    seen = replace(SEEN, state=Membership.ENROLLED, message="")
    result = identity.look(replace(GOOD, enrolment=seen))
    assert result.verdict is Verdict.OK
    assert result.said == "Plants of the north: enrolled, certificate until 2027-11-22T07:00:00Z"


@pytest.mark.parametrize("code", identity.CODES)
def test_each_trouble_has_words_without_a_hole_and_is_no_problem_of_the_site(code: str) -> None:
    result = identity.look(replace(GOOD, enrolment=replace(SEEN, code=code)))
    [one] = result.findings
    assert one.code == code
    assert one.severity in (Severity.HINT, Severity.WARNING)
    for language in LANGUAGES:
        text = words(one, language)
        assert "?" not in text.title + text.cause + text.remedy
    assert result.said == "no route to host"


def test_a_code_of_a_later_version_is_shown_as_what_it_is_not_understood() -> None:
    result = identity.look(replace(GOOD, enrolment=replace(SEEN, code="identity-of-tomorrow")))
    assert [one.code for one in result.findings] == ["identity-answer-unusable"]


def test_every_trouble_of_an_identity_is_one_of_the_check() -> None:
    assert {code for code in entries() if code.startswith("identity-")} == set(identity.CODES)
