"""How a certificate is renewed: in time, beside the present one, and after years of silence."""

from datetime import UTC, datetime, timedelta

import pytest

from archipel_agent.identity import renewing
from archipel_contract.link.envelope import Envelope, frame_from, framed, signed
from archipel_contract.names import ID_ALPHABET
from archipel_contract.status import Membership
from archipel_contract.trust.enrolment import RENEW
from archipel_contract.trust.keys import SoftwareSigner, new_fleet_key
from archipel_contract.trust.store import NotTrusted
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.enrolment import NODE, FakeEnroller, FakeFleet

DAY = 86_400.0


@pytest.fixture
def enrolled(device: Device, fleet: FakeFleet) -> Device:
    """A device that has just enrolled."""
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    assert device.identity.has_certificate
    return device


def live(device: Device, fleet: FakeFleet, days: float, every: float = 1800.0) -> None:
    """Let days pass at both ends, with a turn in each half hour."""
    for _ in range(round(days * DAY / every)):
        fleet.now += timedelta(seconds=every)
        device.pass_time(every)


def test_it_is_renewed_between_half_and_six_tenths_of_its_life(
    enrolled: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    live(enrolled, fleet, 175)
    assert [one.path for one in enroller.asked].count(RENEW) == 0
    live(enrolled, fleet, 50)
    assert [one.path for one in enroller.asked].count(RENEW) == 1
    assert len(fleet.issued) == 2


def test_a_fleet_enrolled_on_one_day_does_not_renew_on_one_day(enrolled: Device, fleet: FakeFleet) -> None:
    certificate = fleet.issued[0]
    moments = sorted(
        renewing.due_at(certificate, f"n-{letter * 16}") - certificate.not_before for letter in ID_ALPHABET
    )
    life = certificate.not_after - certificate.not_before
    assert life / 2 <= moments[0]
    assert moments[-1] < life * 0.6
    assert moments[-1] - moments[0] > timedelta(days=25)


def test_the_renewed_certificate_stands_beside_the_present_one_until_it_has_connected(
    enrolled: Device, fleet: FakeFleet
) -> None:
    first = enrolled.identity.certificate
    live(enrolled, fleet, 230)
    identity = enrolled.identity
    assert identity.certificate == first
    identity.will_try()
    assert identity.certificate == fleet.issued[1]
    assert identity.signer.public == fleet.issued[1].public
    enrolled.boot()
    enrolled.identity.will_try()
    enrolled.identity.connected()
    assert enrolled.identity.certificate == fleet.issued[1]
    assert not enrolled.disk.exists(enrolled.files.paths.next_key)
    enrolled.boot()
    assert enrolled.identity.certificate == fleet.issued[1]


def test_a_renewed_certificate_that_is_refused_gives_the_present_one_its_turn_and_is_given_up_in_the_end(
    enrolled: Device, fleet: FakeFleet
) -> None:
    first = enrolled.identity.certificate
    live(enrolled, fleet, 230)
    identity, tried = enrolled.identity, []
    for _ in range(6):
        identity.will_try()
        tried.append(identity.certificate == first)
        identity.refused()
    assert tried == [False, True, False, True, False, True]
    identity.will_try()
    assert identity.certificate == first
    identity.connected()
    assert not enrolled.disk.exists(enrolled.files.paths.next_certificate)
    live(enrolled, fleet, 1)
    assert len(fleet.issued) == 3  # it has asked for another one


def test_a_refused_renewal_is_asked_at_most_once_an_hour_and_people_are_told(
    enrolled: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    fleet.refuses = "renew-revoked"
    live(enrolled, fleet, 230)
    asked = [one.path for one in enroller.asked].count(RENEW)
    live(enrolled, fleet, 1, every=60.0)
    assert 18 <= [one.path for one in enroller.asked].count(RENEW) - asked <= 24
    shown = enrolled.keeper.status()
    assert (shown.state, shown.code) == (Membership.ENROLLED, "identity-renewal-stuck")
    assert "renew-revoked" in shown.message


def test_an_expired_certificate_goes_on_trying_and_renews_after_years(
    enrolled: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    enroller.away = "No route to host"
    live(enrolled, fleet, 700, every=7200.0)
    shown = enrolled.keeper.status()
    assert (shown.state, shown.code) == (Membership.EXPIRED, "identity-expired")
    enroller.away = ""
    live(enrolled, fleet, 0.1)
    assert enrolled.keeper.status().state is Membership.ENROLLED
    assert enrolled.identity.newest == fleet.issued[1]


def test_half_a_life_without_a_broker_does_not_stop_the_next_renewal(
    enrolled: Device, fleet: FakeFleet
) -> None:
    live(enrolled, fleet, 460)
    assert len(fleet.issued) == 3
    assert enrolled.identity.newest == fleet.issued[2]
    enrolled.boot()
    assert enrolled.identity.problem is None


def test_a_clock_that_jumps_ten_years_renews_nothing_and_deletes_nothing(
    enrolled: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    before = len(enroller.asked)
    for year in (2038, 1970):
        enrolled.set_clock(datetime(year, 1, 1, tzinfo=UTC), sure=False)
        enrolled.boot()
        enrolled.pass_time(5 * 3600, steps=50)
    assert len(enroller.asked) == before
    assert enrolled.identity.certificate == fleet.issued[0]
    assert enrolled.keeper.status().state is Membership.ENROLLED


def test_the_next_trust_document_is_kept_before_it_counts(enrolled: Device, fleet: FakeFleet) -> None:
    identity = enrolled.identity
    assert identity.take(frame_from(fleet.keys.trust(version=2))).document.version == 2
    enrolled.boot()
    assert enrolled.identity.trust.document.version == 2
    with pytest.raises(NotTrusted, match="version 1 after version 2"):
        enrolled.identity.take(frame_from(fleet.keys.trust(version=1)))


def test_a_trust_document_of_somebody_else_changes_nothing(enrolled: Device, fleet: FakeFleet) -> None:
    frame = frame_from(fleet.keys.trust(version=2))
    envelope = Envelope(type="trust", at=1, body={})
    forged = signed(envelope, (SoftwareSigner(new_fleet_key()),))
    for one in (forged, frame_from(framed(frame).replace(b"north", b"south"))):
        with pytest.raises(NotTrusted):
            enrolled.identity.take(one)
    enrolled.boot()
    assert enrolled.identity.trust.document.version == 1


def test_a_renewal_brings_the_newest_trust_document_and_the_brokers(
    enrolled: Device, fleet: FakeFleet
) -> None:
    fleet.version, fleet.brokers = 3, ("wss://fleet.example:443/mqtt",)
    live(enrolled, fleet, 230)
    assert enrolled.identity.trust.document.version == 3
    assert enrolled.identity.fleet.brokers == ("wss://fleet.example:443/mqtt",)
    assert enrolled.identity.node_id == NODE
