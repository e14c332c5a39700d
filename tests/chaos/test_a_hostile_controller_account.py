"""Whoever has the controller's account at a real broker with certificates may say anything to a device, and moves nothing.

The device keeps its connection by TLS with a certificate. The attacker has one too, the controller's for the broker; what it
has not is a key of the trust document.
"""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archipel_contract.link import topics
from archipel_contract.link.carrier import Incoming, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down
from archipel_contract.status import LinkState
from archipel_fleet.link.broker_access import CONTROLLER
from tests.brokers.guarded import GuardedMosquitto, Pki
from tests.chaos.hostile.device import EVENTS, Device, SigningController, controller_of
from tests.chaos.hostile.gate import Attempt
from tests.chaos.hostile.kinds import KINDS, attempt
from tests.chaos.hostile.world import World

pytestmark = [
    pytest.mark.broker,
    pytest.mark.real_process,
    pytest.mark.skipif(bool(GuardedMosquitto.missing()), reason="mosquitto is not installed"),
]
OF_EACH_KIND = 15
AT_ONCE = 24  # so many travel before it is asked whether all have arrived
SECONDS = 15.0


class Attacker:
    """The controller's account: it has listened to everything, and now it speaks."""

    def __init__(self, device: Device, carrier: MqttCarrier) -> None:
        self.device, self.carrier = device, carrier
        self.controller: SigningController = controller_of(device.world, carrier.send)

    def listen(self, until: Callable[[], bool]) -> None:
        """Take in what the device says until something has come."""
        deadline = time.monotonic() + SECONDS
        while not until():
            assert time.monotonic() < deadline, "the device did not say it in time"
            for one in self.carrier.receive(0.02):
                if isinstance(one, Incoming):
                    self.controller.take_payload(one.topic, one.payload)

    def say(self, channel: Down, payload: bytes) -> None:
        """Say something to the device."""
        topic = topics.down(self.device.shard, self.device.world.target.node_id, channel)
        assert self.carrier.send(Outgoing(topic=topic, payload=payload))

    def attack(self, attempts: list[Attempt], ears: "CountingCarrier") -> None:
        """Say all of it, and wait until the device has come through it."""
        wanted = ears.taken + len(attempts)
        for one in attempts:
            self.say(one.channel, one.wire)
        self.listen(lambda: ears.taken >= wanted)


class CountingCarrier(MqttCarrier):
    """The device's: counts what the device is through with."""

    taken = 0

    def acknowledge(self, incoming: Incoming) -> None:
        """See Carrier."""
        super().acknowledge(incoming)
        self.taken += 1


@pytest.fixture
def attacker(tmp_path: Path, pki: Pki) -> Iterator[Attacker]:
    world = World(random.SystemRandom().randrange(1 << 32))
    print(f"seed {world.seed}")
    node = world.target.node_id
    broker = GuardedMosquitto(tmp_path, pki, devices=(node,))
    broker.start()
    device = Device(tmp_path, world, CountingCarrier(broker.url, node, tls=pki.context(node)))
    account = broker.carrier(CONTROLLER)
    account.open()
    account.subscribe([(topics.ALL_UP, 1)])
    made = Attacker(device, account)
    account.send(made.controller.presence())
    device.begin(in_thread=True)
    try:
        made.listen(lambda: len(made.controller.records.events) >= EVENTS)
        device.look_up(made.controller)
        yield made
    finally:
        device.stop()
        account.close()
        broker.stop()


@pytest.mark.timeout(60)
def test_the_controllers_account_at_a_real_broker_moves_nothing(attacker: Attacker) -> None:
    device, world = attacker.device, attacker.device.world
    ears = device.own_carrier
    assert isinstance(ears, CountingCarrier)
    dice = random.Random(world.seed + 1)
    made = [attempt(world, dice, name) for name in list(KINDS) * OF_EACH_KIND]
    said = 0
    for clock in sorted({one.clock for one in made}):
        device.quality = clock
        these = [one for one in made if one.clock is clock]
        for some in (these[at : at + AT_ONCE] for at in range(0, len(these), AT_ONCE)):
            before = device.facts()
            attacker.attack(some, ears)
            said += len(some)
            assert not device.since(before).accepted, [one.kind for one in some]
    assert said == len(KINDS) * OF_EACH_KIND
    assert device.link.status().state is LinkState.CONNECTED
    refused = {one.code: one.count for one in device.desk.status().refused}
    print(f"{said} attempts of {len(KINDS)} kinds: {refused}")
    assert sum(refused.values()) >= said * 0.8  # the rest came again, or changed nothing
