"""What is looked after between turns: a defect in one part keeps no other from its turn, and is said if it stays."""

import logging
from dataclasses import dataclass, replace

import pytest

from archipel_agent.daemon import Daemon
from archipel_agent.rounds import PATIENCE, REPEATED, Rounds
from archipel_contract.findings import Severity, Verdict
from tests.agent.resting import daemon_on
from tests.agent.test_idle_turns import QuietKubeApi
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node


@dataclass
class Part:
    """Something to look after; implements the Uplink port as far as looking goes."""

    defect: Exception | None = None
    looked: int = 0

    def start(self) -> None:
        """See ports.Uplink."""

    def stop(self) -> None:
        """See ports.Uplink."""

    def look(self) -> None:
        """Do what is due, or fail."""
        self.looked += 1
        if self.defect is not None:
            raise self.defect


def go(rounds: Rounds, count: int, *parts: tuple[str, Part]) -> None:
    for _ in range(count):
        rounds.go((name, part.look) for name, part in parts)


def test_a_defect_in_the_first_part_keeps_no_other_from_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    rounds, broken, well = Rounds(), Part(ValueError("secret-7")), Part()
    go(rounds, 2, ("answers", broken), ("link", well))
    assert (broken.looked, well.looked) == (2, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "looking after answers has a defect; the other parts go on"
    ]
    assert rounds.failing() == ()  # not yet


def test_what_keeps_failing_is_named_with_its_place_and_never_with_its_message() -> None:
    rounds = Rounds()
    assert rounds.failing() is None
    go(rounds, PATIENCE, ("link", Part(ValueError("secret-7"))))
    (failing,) = rounds.failing() or ()
    assert failing.part == "link"
    assert failing.problem.startswith("ValueError in ") and "rounds.py:" in failing.problem
    assert "secret-7" not in failing.problem


def test_what_works_again_is_no_longer_named(caplog: pytest.LogCaptureFixture) -> None:
    rounds, part = Rounds(), Part(OSError(28, "full"))
    go(rounds, PATIENCE, ("medium", part))
    part.defect = None
    with caplog.at_level(logging.INFO):
        go(rounds, 2, ("medium", part))
    assert rounds.failing() == ()
    assert caplog.messages[-1] == "looking after medium works again"


def test_a_defect_that_stays_is_not_logged_in_every_round_but_again_after_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds, part = Rounds(), Part(ValueError())
    go(rounds, REPEATED, ("power", part))
    assert len(caplog.records) == 1
    go(rounds, 1, ("power", part))
    assert len(caplog.records) == 2


def test_the_daemon_goes_on_with_enrolment_link_and_medium_and_the_doctor_names_what_fails() -> None:
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    daemon, core = daemon_on(node, node.ports)
    answers, link = Part(KeyError("field")), Part()
    daemon.answers = answers  # type: ignore[assignment]  # the daemon asks nothing else of it
    daemon._link = link
    for _ in range(PATIENCE):
        daemon._look()
    assert names(daemon) == ["answers", "enrolment", "link", "medium"]
    assert (answers.looked, link.looked) == (PATIENCE, PATIENCE)
    (result,) = [one for one in core.checks().results if one.slug == "own-parts"]
    assert result.verdict is Verdict.FOUND
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("own-part-failing", Severity.WARNING)
    assert finding.params["part"] == "answers"
    assert finding.params["problem"].startswith("KeyError in ")
    answers.defect = None
    daemon._look()
    assert "own-part-failing" not in {one.code for one in core.turn().findings}


def test_a_part_that_begins_to_fail_wakes_an_agent_at_rest() -> None:
    node = Node(prepared((UP,)))
    node.clock.advance(600.0)
    daemon, core = daemon_on(node, replace(node.ports, kube=QuietKubeApi(node.ports.kube)))
    link = Part()
    daemon._link = link
    for _ in range(20):
        daemon._look()
        if daemon._rests():
            break
        daemon._turn()
        node.clock.advance(10.0)
    assert daemon._rests()
    link.defect = ValueError()
    for _ in range(PATIENCE):
        daemon._look()
    assert not daemon._rests()
    assert "own-part-failing" in {one.code for one in core.turn().findings}


def names(daemon: Daemon) -> list[str]:
    return [name for name, _ in daemon._parts()]
