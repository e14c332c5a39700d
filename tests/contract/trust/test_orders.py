"""By which rule a device heeds an order: nothing that was not meant for it, now, by somebody who may, is ever done."""

from dataclasses import replace
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.commands import Action, Command, SignedDocument
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import Frame, Signature
from archipel_contract.link.messages import Ack, EpochAck
from archipel_contract.trust import orders
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.orders import COUNTER_STEP, SKEW, Repeated, Standing
from archipel_contract.trust.store import NotTrusted
from archipel_contract.wire import to_data
from tests.contract.trust.made import (
    CONTROLLER,
    DAY,
    NORA,
    NORA_TOO,
    NOW,
    OTTO,
    READER,
    ROOTS,
    STRANGER,
    code_of,
    delegation,
    document,
    frame,
    store,
)

ME = "n-0000000000000001"
ID = "c-0000000000000001"
HERE = Standing(
    node_id=ME,
    site_id="s-a",
    now=NOW,
    clock=ClockQuality.SYNCHRONIZED,
    nonce="nonce-1",
    counter=7,
    generation=5,
)
UNSURE = replace(HERE, clock=ClockQuality.PLAUSIBLE, now=0)
GOOD = Command(id=ID, node=ME, counter=8, issued=NOW - 1000, expires=NOW + DAY, action=Action.LOGS)
SITE = SignedDocument(site_id="s-a", generation=6, document={"name": "a"}, issued=NOW)


def order(*signers: SoftwareSigner, **changed: Any) -> Frame:
    """A command, by the controller unless others are named."""
    return frame(replace(GOOD, **changed), "command", *(signers or (CONTROLLER,)))


def site_document(*signers: SoftwareSigner, **changed: Any) -> Frame:
    """A site document, by the controller unless others are named."""
    return frame(replace(SITE, **changed), "document", *(signers or (CONTROLLER,)))


def refused(message: Frame, standing: Standing = HERE, **more: Any) -> str:
    """The code with which a device refuses a command."""
    with pytest.raises(NotTrusted) as caught:
        orders.command(message, store(document(**more)), standing)
    return code_of(caught.value)


def document_refused(message: Frame, standing: Standing = HERE) -> str:
    """The code with which a device refuses a site document."""
    with pytest.raises(NotTrusted) as caught:
        orders.document(message, store(), standing)
    return code_of(caught.value)


def raw(body: Any, kind: str = "command") -> Frame:
    """A message with a body that no program of ours would make, signed by the controller all the same."""
    return frame(body, kind, CONTROLLER)


def test_a_good_command_is_heeded_and_read_from_the_bytes_that_were_signed() -> None:
    assert orders.command(order(), store(), HERE) == GOOD


def tampered() -> Frame:
    good = order()
    return replace(good, payload=good.payload.replace(b'"logs"', b'"reset"'))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (replace(order(), signatures=()), "message-unsigned"),
        (order(STRANGER), "message-untrusted"),
        (order(ROOTS[0]), "message-untrusted"),
        (tampered(), "message-forged"),
        (replace(order(), signatures=(Signature(CONTROLLER.key_id, b"rubbish"),)), "message-forged"),
        (order(READER, action=Action.RESTART), "message-untrusted"),
        (order(node="n-0000000000000002"), "order-not-for-us"),
        (order(counter=7), "order-replayed"),
        (order(counter=1), "order-replayed"),
        (order(counter=8 + COUNTER_STEP), "order-replayed"),
        (order(expires=NOW), "order-expired"),
        (order(issued=NOW + SKEW + 1), "order-expired"),
        (order(nonce="nonce-of-before"), "order-not-fresh"),
        (order(action=Action.DECOMMISSION), "message-untrusted"),
        (order(counter=1 << 63), "message-malformed"),
        (order(counter=-1), "message-malformed"),
        (order(expires=1 << 70), "message-malformed"),
        (order(id="../../etc/passwd"), "message-malformed"),
        (order(id=""), "message-malformed"),
        (raw({**to_data(GOOD), "counter": "8"}), "message-malformed"),
        (raw({"id": ID}), "message-malformed"),
        (raw(to_data(GOOD), "document"), "message-foreign"),
        (raw(to_data(GOOD), "welcome"), "message-foreign"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_command_is_refused_with_its_code(message: Frame, code: str) -> None:
    assert refused(message) == code


@pytest.mark.parametrize("payload", [b"", b"rubbish", b"[]", b"\xff", b'{"v":99,"t":"command","at":0}'])
def test_what_is_no_message_at_all_is_refused_though_a_key_of_the_fleet_signed_it(payload: bytes) -> None:
    message = Frame(payload=payload, signatures=(Signature(CONTROLLER.key_id, CONTROLLER.sign(payload)),))
    assert refused(message) in ("message-malformed", "message-newer")
    assert document_refused(message) in ("message-malformed", "message-newer")


def test_a_key_that_was_revoked_or_has_ended_or_is_for_another_site_commands_nothing() -> None:
    assert refused(order(), revoked=(CONTROLLER.key_id,)) == "message-revoked"
    ended = (delegation(NORA, "nora", "command:*", expires=NOW),)
    assert refused(order(NORA), keys=ended) == "message-expired-key"
    elsewhere = (delegation(NORA, "nora", "command:*", sites=("s-b",)),)
    assert refused(order(NORA), keys=elsewhere) == "message-untrusted"


@pytest.mark.parametrize("action", [Action.DECOMMISSION, Action.RESET, Action.RESTORE])
def test_what_cannot_be_taken_back_needs_two_heads_unless_the_site_says_otherwise(action: Action) -> None:
    for few in ((CONTROLLER,), (NORA,), (NORA, NORA), (NORA, NORA_TOO), (NORA, READER), (NORA, STRANGER)):
        assert refused(order(*few, action=action)) == "message-untrusted"
    for enough in ((CONTROLLER, NORA), (NORA, OTTO)):
        assert orders.command(order(*enough, action=action), store(), HERE).action is action
    alone = replace(HERE, two_signatures=False)
    assert orders.command(order(NORA, action=action), store(), alone).action is action
    assert refused(order(READER, action=action), alone) == "message-untrusted"


def test_a_second_signature_that_is_not_needed_must_be_good_and_allowed_too() -> None:
    assert orders.command(order(CONTROLLER, NORA), store(), HERE) == GOOD
    assert refused(order(CONTROLLER, READER, action=Action.RESTART)) == "message-untrusted"


def test_a_verb_of_tomorrow_is_heeded_only_from_who_may_everything_and_never_becomes_another_verb() -> None:
    tomorrow = {**to_data(GOOD), "action": "wipe-everything"}
    assert orders.command(raw(tomorrow), store(), HERE).action is Action.UNKNOWN
    assert refused(frame(tomorrow, "command", READER)) == "message-untrusted"


# --- once ------------------------------------------------------------------------------------------------------------


def test_a_command_that_is_known_is_said_to_be_repeated_even_when_it_has_expired_since() -> None:
    known = replace(HERE, known=frozenset({ID}), counter=8, now=NOW + 2 * DAY)
    with pytest.raises(Repeated) as caught:
        orders.command(order(), store(), known)
    assert caught.value.id == ID


def test_whether_a_command_is_known_is_told_to_nobody_without_the_right_to_it() -> None:
    known = replace(HERE, known=frozenset({ID}))
    assert refused(order(READER, action=Action.RESTART), known) == "message-untrusted"
    assert refused(order(STRANGER), known) == "message-untrusted"


@hypothesis.given(st.lists(st.integers(0, 14), max_size=30))
def test_in_any_order_of_arrival_no_counter_is_executed_twice_or_after_a_higher_one(
    arrivals: list[int],
) -> None:
    standing, done = HERE, []
    for counter in arrivals:
        name = f"c-{counter:016d}"
        try:
            read = orders.command(order(counter=counter, id=name), store(), standing)
        except (NotTrusted, Repeated):
            continue
        done.append(read.counter)
        standing = replace(standing, counter=read.counter, known=standing.known | {read.id})
    assert done == sorted(set(done))
    assert all(one > HERE.counter for one in done)


def test_a_key_that_may_only_read_cannot_use_up_the_counter() -> None:
    highest = (1 << 63) - 1
    assert refused(order(READER, counter=highest)) == "order-replayed"
    assert orders.command(order(READER, counter=HERE.counter + COUNTER_STEP), store(), HERE)


def test_a_key_that_ended_before_a_time_that_is_surely_past_is_worth_nothing_even_without_a_clock() -> None:
    ended = (delegation(NORA, "nora", "command:*", expires=NOW),)
    without_clock = replace(UNSURE, floor=NOW - 1)
    assert orders.command(order(NORA, nonce="nonce-1"), store(document(keys=ended)), without_clock)
    assert (
        refused(order(NORA, nonce="nonce-1"), replace(UNSURE, floor=NOW), keys=ended) == "message-expired-key"
    )


# --- fresh -----------------------------------------------------------------------------------------------------------


def test_with_an_unsure_clock_only_the_answer_to_this_connections_hello_is_heeded() -> None:
    assert orders.command(order(nonce="nonce-1"), store(), UNSURE).nonce == "nonce-1"
    assert refused(order(), UNSURE) == "order-not-fresh"
    assert refused(order(nonce="nonce-0"), UNSURE) == "order-not-fresh"
    assert refused(order(), replace(UNSURE, nonce="")) == "order-not-fresh"


def test_a_clock_of_1970_or_2099_that_is_not_sure_neither_ends_nor_begins_anything() -> None:
    for wrong in (0, NOW + 30 * 365 * DAY):
        assert orders.command(order(nonce="nonce-1"), store(), replace(UNSURE, now=wrong))


def test_with_a_sure_clock_a_nonce_does_not_prolong_a_command_that_was_held_back() -> None:
    assert refused(order(nonce="nonce-1", expires=NOW)) == "order-expired"
    assert orders.command(order(nonce="nonce-1"), store(), HERE)


@hypothesis.given(
    issued=st.integers(NOW - 3 * DAY, NOW + 3 * DAY),
    length=st.integers(1, 3 * DAY),
    now=st.integers(NOW - 3 * DAY, NOW + 6 * DAY),
)
def test_a_command_is_heeded_from_its_issue_until_its_end_and_a_clock_may_be_a_little_behind(
    issued: int, length: int, now: int
) -> None:
    try:
        orders.command(order(issued=issued, expires=issued + length), store(), replace(HERE, now=now))
        heeded = True
    except NotTrusted as error:
        assert code_of(error) == "order-expired"
        heeded = False
    assert heeded == (issued - SKEW <= now < issued + length)


# --- site documents --------------------------------------------------------------------------------------------------


def test_a_newer_site_document_is_heeded() -> None:
    assert orders.document(site_document(), store(), HERE) == SITE
    assert orders.document(site_document(NORA, generation=900), store(), HERE).generation == 900


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (replace(site_document(), signatures=()), "message-unsigned"),
        (site_document(STRANGER), "message-untrusted"),
        (site_document(READER), "message-untrusted"),
        (site_document(site_id="s-b"), "order-not-for-us"),
        (site_document(generation=4), "order-rolled-back"),
        (site_document(generation=4, force=True), "message-untrusted"),
        (site_document(NORA, NORA_TOO, generation=4, force=True), "message-untrusted"),
        (site_document(generation=1 << 63), "message-malformed"),
        (raw(to_data(SITE), "command"), "message-foreign"),
        (raw({"site_id": "s-a"}, "document"), "message-malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_site_document_is_refused_with_its_code(message: Frame, code: str) -> None:
    assert document_refused(message) == code


def test_the_generation_in_force_again_is_a_repetition() -> None:
    with pytest.raises(Repeated):
        orders.document(site_document(generation=5), store(), HERE)


def test_an_older_generation_is_forced_by_two_and_only_once() -> None:
    back = site_document(CONTROLLER, NORA, generation=2, force=True, issued=NOW)
    assert orders.document(back, store(), HERE).generation == 2
    assert document_refused(back, replace(HERE, forced=NOW)) == "order-replayed"


def test_a_forced_return_that_was_held_back_is_worth_nothing_once_a_later_document_came() -> None:
    back = site_document(CONTROLLER, NORA, generation=2, force=True, issued=NOW - DAY)
    assert document_refused(back, replace(HERE, issued=NOW)) == "order-replayed"


# --- acknowledgements ------------------------------------------------------------------------------------------------


def test_an_acknowledgement_lets_go_only_of_what_its_own_node_sent() -> None:
    def said(node: str, *signers: SoftwareSigner) -> tuple[Ack, Frame]:
        ack = Ack(acks=(EpochAck(epoch=1, upto=9),), node=node)
        return ack, frame(ack, "ack", *signers)

    orders.acknowledgement(*said(ME, CONTROLLER), store(), HERE)
    for node, signers, code in (
        ("n-0000000000000002", (CONTROLLER,), "order-not-for-us"),
        ("", (CONTROLLER,), "order-not-for-us"),
        (ME, (), "message-unsigned"),
        (ME, (NORA,), "message-untrusted"),
    ):
        with pytest.raises(NotTrusted) as caught:
            orders.acknowledgement(*said(node, *signers), store(), HERE)
        assert code_of(caught.value) == code
