"""Whom the embedded broker lets in follows the registry, key by key: enrolment, renewal, revocation."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archipel_contract.link import secure, topics
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.trust.enrolment import Answer, EnrolmentState
from archipel_contract.trust.keys import new_device_key, to_pem
from archipel_fleet.device_records import DeviceState, Spoken
from archipel_fleet.enrolment.service import Enrolment
from archipel_fleet.link.broker import RELOADED, EmbeddedBroker, find_program
from archipel_fleet.orders.bell import Bell
from archipel_fleet.securing import Secured
from archipel_fleet.settings import Settings
from archipel_fleet.trust.keyring import DIRECTORY, FleetKeys
from tests.brokers.listening import lost, silence
from tests.brokers.servers import free_port
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fleet.enrolment.applicant import ANNA, Device, Fleet

pytestmark = [pytest.mark.broker, pytest.mark.real_process]

ISSUED = EnrolmentState.ISSUED


@dataclass
class Place:
    """A fleet with its broker, in the present of the machine, by which brokers judge dates."""

    directory: Path
    fleet: Fleet = field(init=False)
    secured: Secured = field(init=False)
    broker: EmbeddedBroker = field(init=False)

    def __post_init__(self) -> None:
        """Put it together; the broker is not started yet."""
        settings = Settings(data=str(self.directory), broker_port=free_port())
        clock = FakeClock(milliseconds=int(time.time() * 1000))
        keys = FleetKeys.first(self.directory / DIRECTORY, "Harbour", clock, CountedEntropy())
        self.fleet = Fleet(self.directory, keys, clock)
        devices = self.fleet.store.devices
        self.secured = Secured(settings, self.fleet.store, clock)
        self.fleet.enrolment = Enrolment(devices, keys, clock, changed=self.secured.changed)
        self.broker = EmbeddedBroker(self.directory / "broker", 0, access=self.secured.access())
        self.secured.embed(self.broker)

    def carrier(self, device: Device, answer: Answer) -> MqttCarrier:
        """A connection as this device, with the certificate of that answer; not yet open."""
        path = self.directory / f"{device.signer.key_id}.pem"
        path.write_text(answer.certificate)
        path.with_suffix(".key").write_bytes(to_pem(device.key))
        context = secure.client_context(answer.authorities, path, path.with_suffix(".key"), check_time=True)
        return MqttCarrier(self.broker.url, device.node_id, tls=lambda: context)

    def opened(self, device: Device, answer: Answer) -> MqttCarrier:
        """The same, open and hearing what is the device's."""
        carrier = self.carrier(device, answer)
        carrier.open()
        carrier.subscribe([(topics.down_filter(5, device.node_id), 1)])
        return carrier

    def is_refused(self, device: Device, answer: Answer) -> bool:
        """Whether the broker does not let it in."""
        carrier = self.carrier(device, answer)
        try:
            carrier.open()
        except CarrierFailed as failed:
            return failed.code == "link-broker-refused"
        carrier.close()
        return False

    def tend(self) -> None:
        """What the controller does every few seconds."""
        self.secured.tend(Bell())

    def reloads(self) -> int:
        """How often the broker has read its rules again."""
        return (self.directory / "broker" / "nats-server.log").read_text().count(RELOADED)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """It runs."""
    if find_program() is None:
        pytest.skip("nats is not installed")
    made = Place(tmp_path)
    try:
        made.broker.start()
        yield made
    finally:
        made.broker.stop()
        made.fleet.store.close()


def test_after_a_device_enrolled_anew_the_certificate_from_before_is_cut_off_and_stays_out(
    place: Place,
) -> None:
    fleet, before, after = place.fleet, Device(), Device()
    first = fleet.enrol(before, fleet.token())
    stolen = place.opened(before, first)
    assert not fleet.enrol(after).certificate  # its node id has another key: a person decides
    fleet.care.approve(ANNA, after.claim(fleet.keys))
    second = fleet.enrol(after)
    assert second.state is ISSUED
    own = place.opened(after, second)
    assert lost(stolen, 3).code == "link-broker-away"
    assert place.is_refused(before, first)
    silence(own, 0.1)
    own.close()


def test_while_a_key_is_exchanged_both_certificates_come_in_and_then_only_the_new_one(place: Place) -> None:
    fleet, before, after = place.fleet, Device(), Device(key=new_device_key())
    first = fleet.enrol(before, fleet.token())
    old = place.opened(before, first)
    second = fleet.renew(before, first.certificate, after.key, forced=True)
    assert second.state is ISSUED
    new = place.opened(after, second)  # at once: it was let in before it was told
    place.tend()
    silence(old, 0.1)
    assert not place.is_refused(before, first)
    fleet.store.devices.seen([Spoken(after.node_id, after.signer.key_id)], fleet.clock.now())
    place.tend()
    assert lost(old, 3).code == "link-broker-away"
    assert place.is_refused(before, first)
    silence(new, 0.1)
    new.close()


def test_a_certificate_asked_for_again_and_a_look_without_a_change_read_no_rules_again(place: Place) -> None:
    fleet, pi = place.fleet, Device()
    first = fleet.enrol(pi, fleet.token())
    assert place.reloads() == 1
    assert fleet.renew(pi, first.certificate, forced=True).certificate == first.certificate
    assert not place.is_refused(pi, first)
    place.tend()
    assert place.reloads() == 1


def test_what_another_process_changed_and_what_failed_once_is_taken_at_the_next_look(place: Place) -> None:
    fleet, pi = place.fleet, Device()
    first = fleet.enrol(pi, fleet.token())
    fleet.store.devices.end(pi.node_id, DeviceState.REVOKED, "anna", fleet.clock.now())
    configuration = place.directory / "broker" / "nats-server.conf"
    good = configuration.read_text()
    configuration.write_text(good + "rubbish { \n")
    place.tend()
    assert not place.is_refused(pi, first)
    configuration.write_text(good)
    place.tend()
    assert place.is_refused(pi, first)
