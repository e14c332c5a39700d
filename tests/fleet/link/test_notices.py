"""What the controller says about itself and about refused messages: bounded, with its time, and not in every log line."""

import pytest

from archipel_contract.findings import Severity
from archipel_fleet.link.check import Refused
from archipel_fleet.link.notices import REFUSALS_SHOWN_SECONDS, SENDERS, Notices
from tests.fakes.fleet_intake import NODE, NOW, OTHER


def refuse(
    notices: Notices, node_id: str = NODE, now: int = NOW, monotonic: float = 0.0, text: str = "bad"
) -> None:
    notices.refused(
        Refused("message-malformed", text, node_id), f"archipel/1/00/{node_id}/up/event", now, monotonic
    )


def test_a_finding_keeps_the_time_it_was_first_held_until_it_is_cleared() -> None:
    notices = Notices()
    notices.hold("fleet-broker-away", NOW, broker="mqtt://127.0.0.1", detail="refused")
    notices.hold("fleet-broker-away", NOW + 5000, broker="mqtt://127.0.0.1", detail="no answer")
    (row,) = notices.rows(NOW + 6000)
    assert (row.heard, row.by_controller) == (NOW, True)
    assert row.finding.severity is Severity.PROBLEM
    assert "no answer" in row.finding.params["detail"]
    notices.clear_all("fleet-broker-")
    assert notices.rows(NOW) == ()


def test_refused_messages_are_one_finding_for_each_node_with_count_and_last_reason() -> None:
    notices = Notices()
    refuse(notices)
    refuse(notices, text="worse")
    refuse(notices, OTHER)
    first, second = notices.rows(NOW)
    assert (first.node_id, second.node_id) == (NODE, OTHER)
    assert first.finding.params["count"] == "2"
    assert "worse" in first.finding.params["detail"]
    assert notices.about(OTHER, NOW) == (second,)


def test_an_hour_after_the_last_refused_message_nothing_is_shown() -> None:
    notices = Notices()
    refuse(notices)
    assert notices.rows(NOW + REFUSALS_SHOWN_SECONDS * 1000) != ()
    assert notices.rows(NOW + REFUSALS_SHOWN_SECONDS * 1000 + 1) == ()


def test_rubbish_from_ever_new_senders_fills_no_memory() -> None:
    notices = Notices()
    for number in range(SENDERS + 10):
        refuse(notices, f"n-{number:016}")
    rows = notices.rows(NOW)
    assert len(rows) == SENDERS
    assert rows[0].node_id == f"n-{10:016}"


def test_a_flood_of_refused_messages_is_a_line_in_the_log_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notices = Notices()
    for tick in range(1000):
        refuse(notices, monotonic=tick * 0.02)
    said = [line for line in capsys.readouterr().out.splitlines() if "message refused" in line]
    assert len(said) == 2
    assert "not_logged=499" in said[1]
    assert "archipel/1/00" in said[0]


def test_a_code_the_catalogue_does_not_know_is_shown_all_the_same() -> None:
    notices = Notices()
    notices.hold("fleet-of-tomorrow", NOW, detail="something")
    assert notices.rows(NOW)[0].finding.summary == "something"
