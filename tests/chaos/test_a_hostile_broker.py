"""A fallen broker, or a controller's host without the root, makes a device act or let go of nothing, whatever it tries."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.remote.desk import OrderDesk
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import Frame, frame_to_wire
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import Ack, EpochAck, EventKind, Kind
from archipel_contract.link.topics import Down
from archipel_contract.status import LinkState
from tests.chaos.hostile import mutants
from tests.chaos.hostile.device import Device
from tests.chaos.hostile.gate import Attempt, PureGate
from tests.chaos.hostile.kinds import KINDS, attempt
from tests.chaos.hostile.mutants import MUTANTS, Mutant
from tests.chaos.hostile.world import COUNTER, DANGEROUS, GENERATION, NOW, World, said

TRIES = 40  # of one kind against one mutant, until one gets through


def assault(seed: int, count: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """Make attempts of all kinds in turn; return how many of each, how often with which answer, and what was heeded."""
    world, dice = World(seed), random.Random(seed + 1)
    gate, names = PureGate(world), list(KINDS)
    made, answers, heeded = Counter[str](), Counter[str](), list[str]()
    for number in range(count):
        one = attempt(world, dice, names[number % len(names)])
        verdict = gate.hear(one)
        made[one.kind] += 1
        answers[verdict.code] += 1
        if verdict.accepted:
            heeded.append(f"{one.kind} on {one.channel} (attempt {number}): {verdict.code}")
    return made, answers, heeded


def test_three_thousand_attempts_of_all_kinds_and_none_is_heeded() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    made, answers, heeded = assault(seed, 3000)
    assert heeded == []
    assert len(made) >= 12 and min(made.values()) >= 50
    assert len(answers) >= 12  # they failed for many different reasons, not all at the same door


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_attempts_and_none_is_heeded() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    made, answers, heeded = assault(seed, 100_000)
    print(f"seed {seed}: {made.total()} attempts of {len(made)} kinds, {len(heeded)} heeded")
    for what, counted in (("kind", made), ("answer", answers)):
        print("\n".join(f"  {what}: {name}: {count}" for name, count in sorted(counted.items())))
    assert heeded == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.leaves_out)
def test_each_check_is_missed_when_it_is_left_out(mutant: Mutant) -> None:
    world, dice = World(7), random.Random(8)
    weak = PureGate(world, mutants.rule(mutant))
    for name in mutant.lets_in:
        tries = (weak.hear(attempt(world, dice, name)) for _ in range(TRIES))
        assert any(verdict.accepted for verdict in tries), f"{name} gets nowhere without {mutant.leaves_out}"


def test_every_kind_gets_through_some_weakened_rule() -> None:
    assert {name for mutant in MUTANTS for name in mutant.lets_in} == set(KINDS)


def test_a_check_that_was_reworded_is_not_taken_for_left_out() -> None:
    moved = Mutant("nothing", (("orders", "if a check that is not there:", "if False:"),), ())
    with pytest.raises(mutants.CheckMoved):
        mutants.rule(moved)


def heeded_by(world: World, dice: random.Random) -> list[Attempt]:
    """Return what a device does heed, one of each."""

    def made(
        body: object, channel: Down, *names: str, clock: ClockQuality = ClockQuality.SYNCHRONIZED
    ) -> Attempt:
        frame = said(body, [world.right(name) for name in names])
        return Attempt("genuine", channel, frame_to_wire(frame), clock)

    plain = replace(world.command(dice), counter=COUNTER + 1)
    dangerous = replace(world.command(dice, DANGEROUS), counter=COUNTER + 2)
    fresh = replace(world.command(dice), counter=COUNTER + 3, nonce=world.nonce)
    events = Ack(acks=(EpochAck(epoch=world.epochs[Lane.EVENT], upto=3),), node=world.target.node_id)
    back = replace(world.document(dice), generation=GENERATION - 3, issued=NOW, force=True)
    return [
        made(plain, Down.COMMAND, "controller"),
        made(dangerous, Down.COMMAND, "alice", "bob"),
        made(fresh, Down.COMMAND, "controller", clock=ClockQuality.WRONG),
        made(world.document(dice), Down.DOCUMENT, "controller"),
        made(back, Down.DOCUMENT, "alice", "bob"),
        made(events, Down.ACK, "talker"),
        Attempt("genuine", Down.TRUST, frame_to_wire(world.ours.frame(6))),
    ]


def test_the_same_gate_heeds_what_is_genuine() -> None:
    for seed in range(20):
        world, dice = World(seed), random.Random(seed)
        gate = PureGate(world)
        for one in heeded_by(world, dice):
            assert gate.hear(one).accepted, (one.channel, gate.hear(one).code)


# --- the real thing --------------------------------------------------------------------------------------------------


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    world = World(random.SystemRandom().randrange(1 << 32))
    print(f"seed {world.seed}")
    made = Device(tmp_path, world)
    made.start()
    yield made
    made.stop()


def test_a_real_device_obeys_nothing_and_lets_go_of_nothing_whatever_its_broker_says(device: Device) -> None:
    dice = random.Random(device.world.seed + 1)
    for number, name in enumerate(list(KINDS) * 10):
        one = attempt(device.world, dice, name)
        verdict = device.hear(one)
        assert not verdict.accepted, f"{one.kind} on {one.channel} (attempt {number}) after {verdict.code}"
    assert device.link.status().state is LinkState.CONNECTED  # nor did it fall over
    codes = {one.code for one in device.desk.status().refused}
    assert codes >= {
        "message-unsigned",
        "message-forged",
        "message-untrusted",
        "message-revoked",
        "order-replayed",
    }


def test_what_was_refused_is_told_to_the_fleet_in_few_words(device: Device) -> None:
    dice = random.Random(device.world.seed + 1)
    for _ in range(60):
        device.hear(attempt(device.world, dice, "signed by a stranger"))
    device.run(60.0)
    events = device.broker.controller.records.events.values()
    refusals = [one for one in events if one.kind is EventKind.ORDER_REFUSED]
    assert [one.subject for one in refusals] == ["message-untrusted"]


def test_the_same_device_obeys_what_is_genuine(device: Device) -> None:
    world, dice = device.world, random.Random(device.world.seed)
    for one in heeded_by(world, dice):
        assert device.hear(one).accepted, (one.channel, one.clock)


class CarelessDesk(OrderDesk):
    """Heeds every acknowledgement, whoever signed it."""

    def require(self, kind: Kind, frame: Frame) -> None:
        """See LinkIdentity."""

    def require_ack(self, ack: Ack, frame: Frame) -> None:
        """See LinkIdentity."""


def test_the_kit_notices_a_device_that_lets_go(tmp_path: Path) -> None:
    world, dice = World(5), random.Random(6)
    careless = Device(tmp_path, world, desk=CarelessDesk)
    careless.start()
    kinds = [name for name in KINDS if name.startswith("an acknowledgement")]
    lets_go = [
        name for name in kinds if any(careless.hear(attempt(world, dice, name)).accepted for _ in range(9))
    ]
    careless.stop()
    assert lets_go  # once something is gone the next of them may find nothing


def test_one_seed_makes_the_same_attempts_again() -> None:
    def first(seed: int) -> list[bytes]:
        world, dice = World(seed), random.Random(seed)
        return [
            attempt(world, dice, name).wire
            for name in KINDS
            if "device" not in name and "stranger" not in name
        ]

    assert first(3) == first(3)
    assert first(3) != first(4)
