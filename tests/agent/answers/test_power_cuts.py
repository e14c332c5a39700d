"""The power goes at every instant at which an answer file is carried out, and it comes to the end it would have come to."""

import pytest

from archipel_contract.answers import FILE, AnswersState
from archipel_contract.jobs import JobRequest
from archipel_contract.status import Membership
from tests.agent.answers.boxes import BOOT, Box, answers
from tests.chaos.crashes import UP, prepared
from tests.fakes.enrolment import FakeFleet, FleetKeys
from tests.fakes.power import PowerCut

TURNS = 8


def begun(keys: FleetKeys) -> Box:
    """A box with an answer file on its boot partition. It is a site already, so that all of its life is the answers'."""
    fleet = FakeFleet(keys)
    box = Box(fleet, prepared((UP,)))
    box.lay(answers(fleet, remote="allowed = false", site='name = "Hall 9"\nlanguage = "de"'))
    box.boot()
    return box


def instants(keys: FleetKeys) -> int:
    """How many there are without a cut."""
    box = begun(keys)
    box.node.power.crash_at(None)
    box.live(TURNS)
    assert_done(box)
    return box.node.power.count


def assert_done(box: Box) -> None:
    """It has come to its end, once."""
    assert box.keeper.status().state is AnswersState.DONE, box.keeper.status()
    assert box.way_in.status().state is Membership.ENROLLED
    assert (box.settings.remote, box.settings.language) == ("off", "de")
    assert [one.code for one in box.keeper.status().findings] == []
    text = box.at(BOOT / FILE)
    assert "#7" not in text and text.count("removed by archipel") == 1
    assert 'name = "Hall 9"' in text
    assert "angewandt" in box.result
    site = box.node.store.site()
    assert site is not None and site.name == "Hall 9"
    assert box.files_beside == {FILE, "archipel-result.json", "archipel-result.txt"}
    # What they wrote is known as theirs, not taken for a person's own hand.
    assert set(box.keeper.record.written) == {"remote", "language", "proxy"}
    keys = {request.key for request in box.jobs}
    assert len(keys) == 1


def every(keys: FleetKeys, step: int, first: int = 1) -> None:
    """Cut at each `step`-th instant."""
    total = instants(keys)
    assert total > 60
    for instant in range(first, total + 1, step):
        box = begun(keys)
        box.node.power.crash_at(instant)
        with pytest.raises(PowerCut):
            box.live(TURNS)
        box.come_back()
        box.live(TURNS)
        assert_done(box)


def test_a_cut_anywhere_ends_in_the_same_place(fleet_keys: FleetKeys) -> None:
    every(fleet_keys, step=7)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_a_cut_at_every_single_instant_ends_in_the_same_place(fleet_keys: FleetKeys) -> None:
    every(fleet_keys, step=1)


def test_the_job_of_a_box_that_lost_its_power_in_the_middle_is_gone_on_with(fleet_keys: FleetKeys) -> None:
    fleet = FakeFleet(fleet_keys)
    box = Box(fleet)
    box.lay(answers(fleet))
    box.node.power.crash_at(250)
    with pytest.raises(PowerCut):
        box.live(TURNS)
    box.come_back()
    box.live(TURNS)
    assert box.keeper.status().state is AnswersState.DONE
    assert len({request.key for request in box.jobs}) == 1
    assert isinstance(box.jobs[0], JobRequest)
