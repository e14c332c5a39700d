"""The power goes at every instant of an enrolment, a renewal, its first connection, a new trust document and a farewell;
and each of them comes to the end it would have come to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from archipel_agent.service import Refused
from archipel_contract.link.envelope import frame_from
from archipel_contract.status import Membership
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.disk import TreacherousDisk
from tests.fakes.enrolment import FakeEnroller, FakeFleet, FleetKeys
from tests.fakes.power import PowerCut

LIFE = timedelta(days=240)


@dataclass(slots=True)
class Scene:
    """A device and its fleet."""

    fleet: FakeFleet
    device: Device
    link: str

    @property
    def disk(self) -> TreacherousDisk:
        """The device's disk."""
        assert isinstance(self.device.disk, TreacherousDisk)
        return self.device.disk

    def files(self) -> set[str]:
        """Which files there are."""
        base = self.device.files.paths.base
        return {str(path.relative_to(base)) for path in self.disk.files(base)}


def begin(keys: FleetKeys, is_enrolled: bool) -> Scene:
    """A device before or after its enrolment."""
    fleet = FakeFleet(keys)
    scene = Scene(fleet, Device(FakeEnroller(fleet)), f"{ADDRESS}/#{fleet.token().text}")
    if is_enrolled:
        scene.device.keeper.invite(scene.link)
        assert scene.device.identity.has_certificate
    return scene


def every_instant(
    make: Callable[[], Scene], work: Callable[[Scene], None], check: Callable[[Scene], None]
) -> int:
    """Cut the power at each instant of `work`, start the agent again, let it go on, and check."""
    undisturbed = make()
    undisturbed.disk.power.crash_at(None)
    work(undisturbed)
    check(undisturbed)
    instants = undisturbed.disk.power.count
    for instant in range(1, instants + 1):
        scene = make()
        scene.disk.power.crash_at(instant)
        try:
            work(scene)
        except PowerCut:
            scene.disk.after_power_cut()
            scene.device.boot()
        try:
            work(scene)
        except Refused as refused:
            assert refused.problem.error == "enrolled", refused
        check(scene)
        scene.device.boot()
        check(scene)
    return instants


def test_an_enrolment_is_whole_or_goes_on_and_its_token_is_worth_it(fleet_keys: FleetKeys) -> None:
    def work(scene: Scene) -> None:
        scene.device.pass_time(1)
        if not scene.device.identity.has_certificate:
            scene.device.keeper.invite(scene.link)

    def check(scene: Scene) -> None:
        assert scene.device.keeper.status().state is Membership.ENROLLED, scene.device.keeper.status()
        assert scene.device.identity.signer.public == scene.device.identity.certificate.public
        assert scene.files() == {"device.key", "device.crt", "authorities.pem", "trust", "fleet.json"}

    assert every_instant(lambda: begin(fleet_keys, False), work, check) > 40


def test_a_renewal_leaves_a_pair_that_fits_whatever_happens(fleet_keys: FleetKeys) -> None:
    def work(scene: Scene) -> None:
        if scene.fleet.now - scene.fleet.issued[0].not_before < LIFE:
            scene.fleet.now += LIFE
            scene.device.clock.advance(LIFE.total_seconds())
        scene.device.pass_time(1)

    def check(scene: Scene) -> None:
        identity = scene.device.identity
        assert identity.problem is None
        assert identity.newest == scene.fleet.issued[-1]
        identity.will_try()
        assert identity.signer.public == identity.certificate.public == identity.newest.public

    assert every_instant(lambda: begin(fleet_keys, True), work, check) > 10


def test_the_first_connection_of_a_renewed_certificate_may_be_the_last_thing_that_happens(
    fleet_keys: FleetKeys,
) -> None:
    def make() -> Scene:
        scene = begin(fleet_keys, True)
        scene.fleet.now += LIFE
        scene.device.clock.advance(LIFE.total_seconds())
        scene.device.pass_time(1)
        return scene

    def work(scene: Scene) -> None:
        scene.device.identity.will_try()
        scene.device.identity.connected()

    def check(scene: Scene) -> None:
        identity = scene.device.identity
        assert identity.problem is None
        assert identity.certificate == scene.fleet.issued[1]
        assert not any(name.startswith("next/") for name in scene.files())

    assert every_instant(make, work, check) > 15


def test_a_new_trust_document_is_there_or_the_one_before(fleet_keys: FleetKeys) -> None:
    frame = frame_from(fleet_keys.trust(version=2))

    def work(scene: Scene) -> None:
        assert scene.device.identity.problem is None
        scene.device.identity.take(frame)

    def check(scene: Scene) -> None:
        assert scene.device.identity.trust.document.version == 2

    assert every_instant(lambda: begin(fleet_keys, True), work, check) > 4


def test_a_device_that_leaves_its_fleet_has_left_or_still_belongs_to_it(fleet_keys: FleetKeys) -> None:
    def work(scene: Scene) -> None:
        if not scene.device.files.has_left():
            scene.device.keeper.wipe()

    def check(scene: Scene) -> None:
        assert scene.device.keeper.status().state is Membership.NONE
        assert scene.files() == {"left"}

    assert every_instant(lambda: begin(fleet_keys, True), work, check) > 15
