"""The kinds of attempt: each makes one message of what a fallen broker, or a controller's host without the root, holds.

A function makes one attempt of its kind; its name is the kind. None of them may be heeded, and each would be if the one
check it is aimed at were missing: `mutants` shows that.
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from archipel_contract.commands import Action
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import (
    FRAME_LIMIT,
    SEQUENCE_LIMIT,
    Envelope,
    Frame,
    Signature,
    frame_to_wire,
    framed,
    signed,
)
from archipel_contract.link.messages import KINDS as MESSAGES
from archipel_contract.link.messages import TYPE_OF, Welcome
from archipel_contract.link.topics import Down
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.wire import to_data
from tests.chaos.hostile.gate import Attempt
from tests.chaos.hostile.world import (
    COUNTER,
    DANGEROUS,
    DAY,
    GENERATION,
    HARMLESS,
    HOUR,
    NOW,
    VERSION,
    World,
    fleet_signer,
    said,
)

Kind = Callable[[World, random.Random], Attempt]
KINDS: dict[str, Kind] = {}
UNSURE = (ClockQuality.PLAUSIBLE, ClockQuality.WRONG, ClockQuality.UNKNOWN)


def kind(make: Kind) -> Kind:
    """Enter a function in the table, its name in words."""
    KINDS[make.__name__.replace("_", " ")] = make
    return make


def _channel(body: Any) -> Down:
    return Down(MESSAGES[TYPE_OF[type(body)]].channel)


def _sent(frame: Frame, channel: Down, clock: ClockQuality = ClockQuality.SYNCHRONIZED) -> Attempt:
    return Attempt("", channel, frame_to_wire(frame), clock)


def _told(body: Any, *signers: SoftwareSigner, clock: ClockQuality = ClockQuality.SYNCHRONIZED) -> Attempt:
    return _sent(said(body, signers), _channel(body), clock)


def _anything(world: World, dice: random.Random) -> tuple[Any, list[SoftwareSigner]]:
    """Return a message that would be heeded, and who would have to sign it."""
    which = dice.randrange(5)
    if which == 0:
        return world.trust(dice), world.ours.roots[:2]
    if which == 1:
        return world.ack(dice), [world.right()]
    if which == 2:
        return world.command(dice, DANGEROUS), [world.right("alice"), world.right("bob")]
    return world.order(dice), [world.right()]


# --- without the right key ------------------------------------------------------------------------------------------


@kind
def unsigned(world: World, dice: random.Random) -> Attempt:
    return _told(_anything(world, dice)[0])


@kind
def signed_by_a_stranger(world: World, dice: random.Random) -> Attempt:
    body, right = _anything(world, dice)
    return _told(body, *(fleet_signer(dice) for _ in right))


@kind
def signed_by_a_stranger_under_the_name_of_a_right_key(world: World, dice: random.Random) -> Attempt:
    body, right = _anything(world, dice)
    frame = said(body, [fleet_signer(dice) for _ in right])
    named = tuple(Signature(one.key_id, own.value) for one, own in zip(right, frame.signatures, strict=True))
    return _sent(replace(frame, signatures=named), _channel(body))


@kind
def signed_by_the_key_of_a_device(world: World, dice: random.Random) -> Attempt:
    body, right = _anything(world, dice)
    devices = [world.neighbour.signer, world.stranger.signer, world.target.signer]
    return _told(body, *dice.sample(devices, len(right)))


@kind
def of_another_fleet(world: World, dice: random.Random) -> Attempt:
    """In order in every way, but the fleet is not the device's."""
    return _told(world.order(dice), world.theirs.keys["controller"])


@kind
def a_signature_over_other_bytes(world: World, dice: random.Random) -> Attempt:
    body, right = _anything(world, dice)
    other = said(body, right, at=NOW - dice.randint(1, DAY))
    return _sent(replace(said(body), signatures=other.signatures), _channel(body))


@kind
def one_bit_of_the_payload_changed(world: World, dice: random.Random) -> Attempt:
    body, right = _anything(world, dice)
    frame = said(body, right)
    # A digit of a number in it, so that what comes out is a message still: another counter, sequence, time.
    places = [at for at, byte in enumerate(frame.payload) if chr(byte) in "23456789"]
    at = dice.choice(places)
    changed = bytes([frame.payload[at] ^ 1])
    return _sent(
        replace(frame, payload=frame.payload[:at] + changed + frame.payload[at + 1 :]), _channel(body)
    )


@kind
def one_bit_of_the_signature_changed(world: World, dice: random.Random) -> Attempt:
    body, right = _anything(world, dice)
    frame = said(body, right)
    which, value = dice.randrange(len(right)), bytearray()
    value += frame.signatures[which].value
    value[dice.randrange(len(value))] ^= 1 << dice.randrange(8)
    spoiled = list(frame.signatures)
    spoiled[which] = Signature(spoiled[which].key_id, bytes(value))
    return _sent(replace(frame, signatures=tuple(spoiled)), _channel(body))


# --- a key that may not -----------------------------------------------------------------------------------------------


@kind
def a_key_that_may_not_do_this(world: World, dice: random.Random) -> Attempt:
    if dice.random() < 0.3:
        return _told(world.document(dice), world.right(dice.choice(("talker", "reader"))))
    if dice.random() < 0.3:
        return _told(world.ack(dice), world.right(dice.choice(("alice", "bob", "reader"))))
    verbs = [one for one in HARMLESS if one is not Action.LOGS]
    return _told(world.command(dice, verbs), world.right(dice.choice(("talker", "reader"))))


@kind
def a_key_for_other_sites(world: World, dice: random.Random) -> Attempt:
    return _told(world.order(dice), world.right("abroad"))


@kind
def a_revoked_key(world: World, dice: random.Random) -> Attempt:
    body = world.ack(dice) if dice.random() < 0.2 else world.order(dice)
    return _told(body, world.right(dice.choice(("revoked", "former"))))


@kind
def a_revoked_key_beside_a_good_one(world: World, dice: random.Random) -> Attempt:
    return _told(world.command(dice, DANGEROUS), world.right("alice"), world.right("revoked"))


@kind
def an_expired_key(world: World, dice: random.Random) -> Attempt:
    return _told(world.order(dice), world.right("past"))


@kind
def a_key_that_surely_ended_though_the_clock_is_unsure(world: World, dice: random.Random) -> Attempt:
    """It answers this connection's hello, and nobody knows the time; but it is later than the end of this key."""
    fresh = replace(world.command(dice), nonce=world.nonce)
    return _told(fresh, world.right("past"), clock=dice.choice(UNSURE))


@kind
def a_key_that_is_not_valid_yet(world: World, dice: random.Random) -> Attempt:
    return _told(world.order(dice), world.right("coming"))


@kind
def one_signature_where_two_are_needed(world: World, dice: random.Random) -> Attempt:
    if dice.random() < 0.3:
        forced = replace(world.document(dice), generation=dice.randint(0, GENERATION - 1), force=True)
        return _told(forced, world.right(dice.choice(("alice", "controller"))))
    return _told(world.command(dice, DANGEROUS), world.right("alice"))


@kind
def one_key_twice_where_two_are_needed(world: World, dice: random.Random) -> Attempt:
    return _told(world.command(dice, DANGEROUS), world.right("alice"), world.right("alice"))


@kind
def two_keys_of_one_holder_where_two_are_needed(world: World, dice: random.Random) -> Attempt:
    """A person's two keys are one person, and a controller's host has the keys of every controller."""
    if dice.random() < 0.5:
        return _told(world.command(dice, DANGEROUS), world.right("alice"), world.right("alice, other key"))
    forced = replace(world.document(dice), generation=dice.randint(0, GENERATION - 1), force=True)
    return _told(forced, world.right("controller"), world.right("standby"))


@kind
def a_second_signature_of_a_key_that_may_not(world: World, dice: random.Random) -> Attempt:
    """What a fallen controller host would do: its own key beside a person's."""
    return _told(world.command(dice, DANGEROUS), world.right("alice"), world.right("controller"))


# --- genuine, but not this time, not this place -----------------------------------------------------------------------


@kind
def replayed(world: World, dice: random.Random) -> Attempt:
    """Known by its id, or so long ago that only the counter tells."""
    old = replace(world.command(dice), counter=dice.randint(1, COUNTER))
    if dice.random() < 0.5:
        old = replace(old, id=dice.choice(world.done), counter=COUNTER + 1)
    return _told(old, world.right())


@kind
def held_back_until_a_later_one_was_done(world: World, dice: random.Random) -> Attempt:
    return _told(replace(world.command(dice), counter=dice.randint(-5, COUNTER)), world.right())


@kind
def a_counter_near_the_end_of_all_numbers(world: World, dice: random.Random) -> Attempt:
    """What a controller's host would do on its last day: after it no honest order would ever be newer."""
    counter = SEQUENCE_LIMIT - dice.randint(1, 1 << 40)
    return _told(replace(world.command(dice), counter=counter), world.right())


@kind
def for_another_device(world: World, dice: random.Random) -> Attempt:
    other = dice.choice((world.neighbour.node_id, world.stranger.node_id, "", "n-", "*"))
    return _told(replace(world.command(dice), node=other), world.right())


@kind
def for_another_site(world: World, dice: random.Random) -> Attempt:
    other = dice.choice((world.away, "", "*"))
    return _told(replace(world.document(dice), site_id=other), world.right())


@kind
def expired(world: World, dice: random.Random) -> Attempt:
    issued = NOW - dice.randint(DAY, 400 * DAY)
    late = replace(world.command(dice), issued=issued, expires=issued + dice.randint(0, DAY))
    nonce = dice.choice(("", world.nonce))  # held back within this very connection
    return _told(replace(late, nonce=nonce), world.right())


@kind
def from_the_future(world: World, dice: random.Random) -> Attempt:
    issued = NOW + dice.randint(HOUR, 400 * DAY)
    return _told(replace(world.command(dice), issued=issued, expires=issued + DAY), world.right())


@kind
def without_the_nonce_where_the_clock_is_unsure(world: World, dice: random.Random) -> Attempt:
    return _told(world.command(dice), world.right(), clock=dice.choice(UNSURE))


@kind
def with_the_nonce_of_another_connection(world: World, dice: random.Random) -> Attempt:
    nonce = dice.choice((world.former_nonce, world.nonce[:-1], world.nonce.upper(), "0", " "))
    clock = dice.choice((*UNSURE, ClockQuality.SYNCHRONIZED))
    return _told(replace(world.command(dice), nonce=nonce), world.right(), clock=clock)


@kind
def a_document_of_an_older_generation(world: World, dice: random.Random) -> Attempt:
    return _told(replace(world.document(dice), generation=dice.randint(-1, GENERATION)), world.right())


@kind
def a_forced_return_replayed(world: World, dice: random.Random) -> Attempt:
    """Two people once wanted the older generation; that was before the last return."""
    then = NOW - DAY - dice.randint(0, 300 * DAY)
    old = replace(world.document(dice), generation=dice.randint(0, GENERATION - 1), issued=then, force=True)
    return _told(old, world.right("alice"), world.right("bob"))


@kind
def a_document_of_before_a_forced_return(world: World, dice: random.Random) -> Attempt:
    """The site went back to an older generation on purpose; what it had then is newer by its number only."""
    return _told(replace(world.document(dice), issued=NOW - DAY - dice.randint(1, 300 * DAY)), world.right())


@kind
def genuine_on_the_wrong_channel(world: World, dice: random.Random) -> Attempt:
    """A signed welcome, acknowledgement or document where a command is expected, and the reverse.

    It has the fields of every body, as one of a future version might, so that nothing but its type tells it apart.
    """
    order: Any = world.command(dice) if dice.random() < 0.5 else world.document(dice)
    bodies = [
        Welcome(incarnation="life-1", nonce=world.nonce),
        world.ack(dice),
        world.document(dice),
        world.command(dice),
    ]
    other = dice.choice([one for one in bodies if type(one) is not type(order)])
    fields = {**to_data(other), **to_data(order)}
    envelope = Envelope(type=TYPE_OF[type(other)], at=NOW, body=fields)
    return _sent(signed(envelope, [world.right()]), _channel(order))


# --- the trust document ---------------------------------------------------------------------------------------------


@kind
def trust_rolled_back(world: World, dice: random.Random) -> Attempt:
    """Genuine, of before the revocation."""
    return _sent(world.ours.frame(dice.randint(1, VERSION - 1)), Down.TRUST)


@kind
def trust_forked(world: World, dice: random.Random) -> Attempt:
    """Two roots signed another text of the version in force."""
    return _told(replace(world.trust(dice), version=VERSION), *world.ours.roots[:2])


@kind
def trust_signed_by_itself(world: World, dice: random.Random) -> Attempt:
    roots = [fleet_signer(dice), fleet_signer(dice)]
    own = replace(
        world.trust(dice), roots=tuple(str(one.public) for one in roots), threshold=dice.choice((1, 2))
    )
    return _told(own, *roots)


@kind
def trust_of_another_fleet(world: World, dice: random.Random) -> Attempt:
    """Also by somebody whose root is ours too: one ceremony, two fleets."""
    other = replace(world.theirs.documents[VERSION + 1], version=VERSION + dice.randint(1, 9))
    if dice.random() < 0.5:
        return _told(other, *world.theirs.roots[:2])
    return _told(replace(other, roots=world.ours.documents[VERSION].roots), *world.ours.roots[:2])


@kind
def trust_below_the_threshold(world: World, dice: random.Random) -> Attempt:
    one = dice.choice(world.ours.roots)
    fill = dice.choice(([], [one], [world.right()], [world.right("alice")], [fleet_signer(dice)]))
    return _told(world.trust(dice), one, *fill)


@kind
def trust_with_a_lower_threshold_of_its_own(world: World, dice: random.Random) -> Attempt:
    """One root says that one root is enough from now on."""
    return _told(replace(world.trust(dice), threshold=1), dice.choice(world.ours.roots))


@kind
def trust_whose_new_roots_did_not_sign(world: World, dice: random.Random) -> Attempt:
    """A typing error or a trick in a ceremony: nobody could ever sign the next one."""
    roots = tuple(str(fleet_signer(dice).public) for _ in range(3))
    return _told(replace(world.trust(dice), roots=roots), *world.ours.roots[:2])


@kind
def trust_signed_by_the_controller(world: World, dice: random.Random) -> Attempt:
    keys = [world.right("controller"), world.right("alice"), world.right("bob")]
    return _told(world.trust(dice), *keys[: dice.randint(1, 3)])


# --- letting go -----------------------------------------------------------------------------------------------------


@kind
def an_acknowledgement_for_another_node(world: World, dice: random.Random) -> Attempt:
    """What was committed of one node, told to another whose epoch happens to be the same."""
    other = dice.choice((world.neighbour.node_id, world.stranger.node_id, ""))
    return _told(replace(world.ack(dice), node=other), world.right())


@kind
def an_acknowledgement_nobody_signed(world: World, dice: random.Random) -> Attempt:
    return _told(replace(world.ack(dice), node=dice.choice((world.target.node_id, ""))))


@kind
def an_acknowledgement_of_a_stranger(world: World, dice: random.Random) -> Attempt:
    strangers = [world.outsider, world.theirs.keys["controller"], world.target.signer, world.right("past")]
    return _told(world.ack(dice), dice.choice(strangers))


# --- not even messages ----------------------------------------------------------------------------------------------


@kind
def a_bomb(world: World, dice: random.Random) -> Attempt:
    """A few kilobytes that unpack to more than anybody wants to hold."""
    head = framed(replace(said(world.order(dice), [world.right()]), payload=b""))
    body = b" " * (FRAME_LIMIT + dice.randint(1, 1 << 20))
    return Attempt("", dice.choice(list(Down)), zlib.compress(head + body, 9))


@kind
def rubbish(world: World, dice: random.Random) -> Attempt:
    frame = said(_anything(world, dice)[0], [world.right()])
    wire = frame_to_wire(frame, compress=dice.random() < 0.5)
    forms: list[Callable[[], bytes]] = [
        lambda: dice.randbytes(dice.randint(0, 300)),
        lambda: wire[: dice.randrange(len(wire))],
        lambda: wire + dice.randbytes(dice.randint(1, 40)) if wire[:1] == b"\x78" else b"A1 " + wire,
        lambda: b"A1 unsigned -\n" + b"[" * dice.randint(1, 20_000),
        lambda: b"A1 unsigned -\n" + dice.randbytes(50),
        lambda: b"A1 k-a,k-b !!,??\n{}",
        lambda: b"A1 " + b"k" * 3000 + b" -\n{}",
        lambda: b'A1 unsigned -\n{"v":1,"t":"ack","at":NaN,"b":{"acks":[]}}',
        lambda: b'A1 unsigned -\n{"v":1,"t":"ack","at":1,"b":{"acks":[{"epoch":1e999}]}}',
    ]
    channel = dice.choice((Down.ACK, Down.COMMAND, Down.DOCUMENT, Down.TRUST))
    return Attempt("", channel, dice.choice(forms)())


def attempt(world: World, dice: random.Random, name: str) -> Attempt:
    """Return an attempt of one kind."""
    return replace(KINDS[name](world, dice), kind=name)
