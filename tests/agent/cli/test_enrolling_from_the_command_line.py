"""`archipel enrol`: by what right it asks, what it shows until it is decided, and how it ends."""

import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.service import Refused
from archipel_contract.api import EnrolmentWish
from archipel_contract.exits import Exit
from archipel_contract.status import EnrolmentStatus, Membership
from tests.agent.cli.conftest import Archipel, Said
from tests.fakes.service import ScriptedService

ADDRESS = "https://fleet.example:8471"
TOKEN = "7k2m9qxf.04hvd1et7k2m9qxf04hvd1et7k.9qxf04hvd1et7k2m9qxf04hvd1"
ENROLLED = EnrolmentStatus(
    state=Membership.ENROLLED,
    address=ADDRESS,
    fleet="Plants of the north",
    display_name="Edge 7",
    certificate_until="2027-11-22T07:00:00Z",
)
PENDING = EnrolmentStatus(
    state=Membership.PENDING,
    address=ADDRESS,
    fleet="Plants of the north",
    claim="7k2m-9qxf-04hv",
    code="identity-pending",
)


def ends_as(service: ScriptedService, *steps: EnrolmentStatus) -> None:
    """Have the enrolment take these steps, each a moment after the one before."""

    def go_on() -> None:
        service.change(enrolment=steps[0])
        for number, step in enumerate(steps[1:], 1):
            timer = threading.Timer(0.4 * number, service.change, kwargs={"enrolment": step})
            timer.start()

    service.on_enrol = go_on


def wish(service: ScriptedService) -> EnrolmentWish:
    """The only wish there was."""
    [(asked, _)] = service.enrol_wishes
    return asked


def test_a_whole_link_enrols_and_the_fleet_says_who_this_is_now(
    agent: Archipel, service: ScriptedService
) -> None:
    ends_as(service, ENROLLED)
    said = agent("enrol", f"{ADDRESS}/#{TOKEN}")
    assert said.code == Exit.OK
    assert said.out.splitlines() == [
        "+ enrolled (Plants of the north), as Edge 7, certificate until 2027-11-22T07:00:00Z"
    ]
    assert wish(service) == EnrolmentWish(link=f"{ADDRESS}/#{TOKEN}")


def test_a_token_file_keeps_the_token_out_of_the_process_list(
    agent: Archipel, service: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_as(service, ENROLLED)
    (tmp_path / "token").write_text(f"# from the fleet\n\n{TOKEN}\n")
    assert agent("enrol", ADDRESS, "--token-file", str(tmp_path / "token")).code == Exit.OK
    assert wish(service).link == f"{ADDRESS}/#{TOKEN}"
    service.enrol_wishes.clear()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADDRESS}/#{TOKEN}\n"))
    assert agent("enrol", "--token-file", "-", "--again").code == Exit.OK
    assert wish(service) == EnrolmentWish(link=f"{ADDRESS}/#{TOKEN}", again=True)


def test_without_a_token_a_code_is_shown_large_and_somebody_is_waited_for(
    agent: Archipel, service: ScriptedService
) -> None:
    ends_as(service, PENDING, ENROLLED)
    said = agent("enrol", ADDRESS, "--claim")
    assert said.code == Exit.OK
    assert "    7 k 2 m - 9 q x f - 0 4 h v" in said.out.splitlines()
    assert said.out.splitlines()[-1].startswith("+ enrolled")
    assert wish(service).link == ADDRESS


def test_claim_leaves_a_token_in_the_link_at_home(agent: Archipel, service: ScriptedService) -> None:
    ends_as(service, ENROLLED)
    agent("enrol", f"{ADDRESS}/#{TOKEN}", "--claim")
    assert wish(service).link == ADDRESS


def test_a_refusal_says_why_and_is_an_exit_code_of_its_own(agent: Archipel, service: ScriptedService) -> None:
    ends_as(
        service,
        replace(
            PENDING, state=Membership.REFUSED, claim="", code="identity-token-refused", message="it was used"
        ),
    )
    said = agent("enrol", f"{ADDRESS}/#{TOKEN}")
    assert said.code == Exit.REFUSED
    assert said.out.splitlines() == [
        "x refused (Plants of the north), it was used",
        "  More about it: archipel why identity-token-refused",
    ]


def test_who_does_not_wait_gets_the_present_state_as_json(agent: Archipel, service: ScriptedService) -> None:
    ends_as(service, PENDING)
    said = agent("enrol", ADDRESS, "--claim", "--no-wait", "--json")
    assert said.code == Exit.OK
    assert (said.data["state"], said.data["claim"]) == ("pending", "7k2m-9qxf-04hv")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((ADDRESS,), "--token-file"),
        (("--claim",), "say where the fleet is"),
        ((ADDRESS, "--token-file", "/nowhere/token"), "/nowhere/token"),
    ],
)
def test_what_is_missing_is_said_and_nothing_asked(
    agent: Archipel, service: ScriptedService, words: tuple[str, ...], hint: str
) -> None:
    said = agent("enrol", *words)
    assert said.code == Exit.USAGE
    assert hint in said.err
    assert service.enrol_wishes == []


def test_an_agent_that_is_enrolled_says_so_and_how_to_insist(
    agent: Archipel, service: ScriptedService
) -> None:
    service.refusal = Refused(409, "enrolled", "This machine belongs to the fleet X already.", "--again")
    said = agent("enrol", f"{ADDRESS}/#{TOKEN}")
    assert said.code == Exit.REFUSED
    assert "belongs to the fleet X already" in said.err


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (EnrolmentStatus(), Exit.OK, "belongs to no fleet"),
        (ENROLLED, Exit.OK, "+ enrolled (Plants of the north)"),
        (PENDING, Exit.NOT_OK, "code 7k2m-9qxf-04hv"),
        (replace(ENROLLED, state=Membership.EXPIRED), Exit.NOT_OK, "its certificate has ended"),
    ],
)
def test_alone_it_shows_how_it_stands(
    agent: Archipel, service: ScriptedService, status: EnrolmentStatus, code: Exit, text: str
) -> None:
    service.change(enrolment=status)
    said: Said = agent("enrol")
    assert said.code == code
    assert text in said.out


def test_status_has_a_line_about_the_fleet_once_there_is_one(
    agent: Archipel, service: ScriptedService
) -> None:
    assert "  fleet " not in agent("status").out
    service.change(enrolment=ENROLLED)
    [line] = [line for line in agent("status").out.splitlines() if line.startswith("  fleet ")]
    assert line.split(maxsplit=1)[1] == (
        "enrolled (Plants of the north), as Edge 7, certificate until 2027-11-22T07:00:00Z"
    )


def test_request_and_voucher_travel_as_files(
    agent: Archipel, service: ScriptedService, tmp_path: Path
) -> None:
    request, voucher = tmp_path / "request", tmp_path / "voucher"
    said = agent("enrol", "--request", str(request))
    assert (said.code, "sudo archipel enrol --vouch request" in said.out) == (Exit.OK, True)
    said = agent("enrol", "--vouch", str(request), "--out", str(voucher))
    assert (said.code, service.vouched_for) == (Exit.OK, [service.asks_voucher])
    assert f"sudo archipel enrol --token-file {voucher}" in said.out
    ends_as(service, ENROLLED)
    assert agent("enrol", "--token-file", str(voucher)).code == Exit.OK
    assert wish(service).link == f"{ADDRESS}/#voucher"


def test_what_is_no_request_is_refused_before_anybody_vouches(
    agent: Archipel, service: ScriptedService, tmp_path: Path
) -> None:
    (tmp_path / "request").write_text("rubbish")
    assert "no request of a machine" in agent("enrol", "--vouch", str(tmp_path / "request")).err
    assert agent("enrol", "--vouch", str(tmp_path / "none")).code == Exit.USAGE
    assert agent("enrol", "--request", "r", "--leave").code == Exit.USAGE
    assert service.vouched_for == []


def test_leaving_takes_a_word_and_says_what_is_to_be_done_at_the_fleet(
    agent: Archipel, service: ScriptedService
) -> None:
    service.change(enrolment=ENROLLED)
    assert agent("enrol", "--leave").code == Exit.USAGE
    states = [service.current.enrolment.state]
    said = agent("enrol", "--leave", "--yes")
    assert (said.code, "archipel fleet decommission" in said.out) == (Exit.OK, True)
    assert [*states, service.current.enrolment.state] == [Membership.ENROLLED, Membership.NONE]
