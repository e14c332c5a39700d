"""How long an answer is waited for: soon for what happened, long for samples where the node is patient."""

from archipel_agent.link.flights import PATIENT, Flights
from archipel_agent.link.making import plan_of
from archipel_agent.settings import Settings
from archipel_contract.link.epochs import Lane, new_epoch

EPOCHS = {lane: new_epoch(3, lane, lambda count: b"\x01" * count) for lane in Lane}


def test_samples_of_a_patient_node_are_late_only_after_its_patience_and_half_of_it() -> None:
    flights = Flights(10.0, 300.0, patience=3600.0)
    flights.sent((EPOCHS[Lane.METRIC], 1), 0.0)
    assert flights.late(PATIENT * 3600.0 - 1) == [] and flights.next_due() == PATIENT * 3600.0
    assert [key for key, _ in flights.late(PATIENT * 3600.0)] == [(EPOCHS[Lane.METRIC], 1)]


def test_what_happened_is_late_soon_however_patient_the_node_is_about_samples() -> None:
    flights = Flights(10.0, 300.0, patience=3600.0)
    flights.sent((EPOCHS[Lane.EVENT], 1), 0.0)
    assert [key[0] for key, _ in flights.late(10.0)] == [EPOCHS[Lane.EVENT]]


def test_samples_sent_a_second_time_are_waited_for_like_everything_else() -> None:
    flights = Flights(10.0, 300.0, patience=3600.0)
    for at in (0.0, 5400.0):
        flights.sent((EPOCHS[Lane.METRIC], 1), at)
    assert flights.next_due() == 5420.0


def test_only_a_link_that_always_stands_is_patient_for_at_most_twelve_points() -> None:
    assert plan_of(Settings()).patience == 3600
    assert plan_of(Settings(metrics_every=60.0)).patience == 720
    assert plan_of(Settings(link_patience=0.0)).patience == 0
    assert plan_of(Settings(link_mode="dial-in")).patience == 0
