"""What the desk heeds, what it refuses, and what it says of both."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archipel_agent.remote import intake
from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Action, Result
from archipel_contract.facts import ClockSource
from archipel_contract.link.envelope import EnvelopeInvalid, Frame, frame_from
from archipel_contract.link.epochs import Lane, new_epoch
from archipel_contract.link.messages import KINDS, Ack, Ask, EpochAck, EventKind, Wanted, Welcome
from tests.agent.remote.hands import NODE, OTHER_NODE, SITE, Hands
from tests.fakes.trust import OTHER_FLEET, FakeFleet, said

MINUTE = 60_000


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_an_order_of_the_fleet_is_done_and_its_result_is_said(hands: Hands) -> None:
    hands.agent.text = ("one", "two")
    assert hands.hear(hands.command()) == ""
    hands.work()
    assert hands.link.outcomes() == [("c-0000000000000001", "done", "")]
    assert hands.link.data("c-0000000000000001") == b"one\ntwo"
    assert hands.hello().counter == 1


def test_orders_are_refused_for_every_reason_there_is(hands: Hands) -> None:
    fleet, now = hands.fleet, hands.now
    other = FakeFleet()
    cases: dict[str, Frame] = {
        "message-unsigned": hands.command(signers=[]),
        "message-untrusted": hands.command(signers=[other.controller]),
        "order-not-for-us": fleet.command(OTHER_NODE, now),
        "order-expired": hands.command(issued=now - 2 * MINUTE, expires=now - MINUTE),
        "order-not-fresh": hands.command(nonce="of another connection"),
        "message-malformed": hands.command(id="../../etc"),
    }
    good = hands.command()
    cases["message-forged"] = replace(good, payload=good.payload.replace(b"alice", b"mallory"))
    assert {code: hands.hear(frame) for code, frame in cases.items()} == {code: code for code in cases}
    hands.work()
    assert not hands.agent.done


def test_an_order_for_which_the_key_may_not_sign_is_refused(hands: Hands) -> None:
    assert hands.hear(hands.command(Action.RESTART, signers=[hands.fleet.reader])) == "message-untrusted"
    assert hands.hear(hands.command(signers=[hands.fleet.reader])) == ""


def test_an_order_that_another_overtook_is_refused_and_the_fleet_is_told_which(hands: Hands) -> None:
    first, second = hands.command(), hands.command()
    assert hands.hear(second) == ""
    assert hands.hear(first) == "order-replayed"
    hands.work()
    assert set(hands.link.outcomes()) == {
        ("c-0000000000000002", "done", ""),
        ("c-0000000000000001", "refused", "order-replayed"),
    }


def test_a_late_order_is_answered_once_in_a_connection_however_often_it_comes(hands: Hands) -> None:
    late = hands.command()
    hands.clock.advance(7200)
    for _ in range(50):
        hands.hear(late)
    hands.work()
    assert hands.link.outcomes() == [("c-0000000000000001", "refused", "order-expired")]


def test_an_unsure_clock_heeds_only_what_answers_this_connection(hands: Hands) -> None:
    for source in (ClockSource.NONE, ClockSource.RTC):
        hands.source = source
        assert hands.hear(hands.command()) == "order-not-fresh"
        assert hands.hear(hands.command(nonce=hands.hello().nonce)) == ""


def test_an_order_of_this_connection_is_heeded_once_the_connection_is_another(hands: Hands) -> None:
    frame = hands.command(nonce=hands.hello().nonce)
    hands.desk.begin()
    assert hands.hear(frame) == "order-not-fresh"


def test_every_connection_has_a_nonce_of_its_own(hands: Hands) -> None:
    seen = set()
    for _ in range(20):
        hands.desk.begin()
        seen.add(hands.hello().nonce)
    assert len(seen) == 20
    assert all(len(base64.urlsafe_b64decode(one)) == intake.NONCE_BYTES for one in seen)


# --- what is refused by the people on site, and dangerous orders --------------------------------------------


def test_an_order_vetoed_on_site_is_answered_and_not_done() -> None:
    hands = Hands(veto=frozenset({Action.LOGS, Action.RESTART}))
    assert hands.hear(hands.command()) == ""
    hands.work()
    assert hands.link.outcomes() == [("c-0000000000000001", "refused", "order-vetoed")]
    assert not hands.agent.done
    assert hands.hello().veto == ("logs", "restart")
    assert hands.desk.status().veto == ("logs", "restart")


def test_leaving_the_fleet_needs_two_signatures_of_different_people(hands: Hands) -> None:
    fleet = hands.fleet
    assert hands.hear(hands.command(Action.DECOMMISSION)) == "message-untrusted"
    assert (
        hands.hear(hands.command(Action.DECOMMISSION, signers=[fleet.alice, fleet.alice]))
        == "message-untrusted"
    )
    assert hands.keys.wiped == 0
    assert hands.hear(hands.command(Action.DECOMMISSION, signers=[fleet.alice, fleet.bob])) == ""
    hands.work()
    assert hands.keys.wiped == 1
    assert hands.link.outcomes() == [("c-0000000000000003", "done", "")]


def test_a_site_may_be_content_with_one_signature() -> None:
    hands = Hands(two_signatures=False)
    assert hands.hear(hands.command(Action.DECOMMISSION)) == ""
    hands.work()
    assert hands.keys.wiped == 1


def test_keys_are_wiped_only_once_the_last_result_has_had_time_to_arrive(hands: Hands) -> None:
    hands.link.is_acknowledged = False
    fleet = hands.fleet
    hands.hear(hands.command(Action.DECOMMISSION, signers=[fleet.alice, fleet.bob]))
    began = hands.clock.monotonic()
    hands.work()
    assert hands.keys.wiped == 1
    assert hands.clock.monotonic() - began >= 60


@pytest.mark.parametrize("instant", range(1, 12))
def test_a_power_cut_while_leaving_the_fleet_leaves_it_left_or_not_and_never_half(instant: int) -> None:
    from tests.fakes.power import PowerCut

    hands = Hands()
    hands.hear(hands.command(Action.DECOMMISSION, signers=[hands.fleet.alice, hands.fleet.bob]))
    hands.power.crash_at(instant)
    try:
        hands.work()
    except PowerCut:
        hands.come_back()
    hands.power.crash_at(None)
    hands.work()
    ((_, outcome, _), *_) = hands.link.outcomes()
    assert (outcome == "done") == (hands.keys.wiped > 0)
    assert not hands.store.orders.leaves()


# --- answers of the controller ------------------------------------------------------------------------------


def ack(*lanes: Lane, node: str = NODE) -> Ack:
    """Return an acknowledgement of something in each lane."""
    return Ack(acks=tuple(EpochAck(epoch=new_epoch(1, lane, bytes), upto=3) for lane in lanes), node=node)


def require(hands: Hands, body: Any, signed: bool) -> str:
    """Have an answer judged as the link does; return the code with which it was refused."""
    frame = said(body, [hands.fleet.controller] if signed else [])
    kind = next(one for one in KINDS.values() if one.body is type(body))
    try:
        hands.desk.require(kind, frame)
        if isinstance(body, Ack):
            hands.desk.require_ack(body, frame)
    except EnvelopeInvalid as error:
        return error.code
    return ""


def test_results_and_events_are_let_go_of_at_a_signed_word_alone(hands: Hands) -> None:
    assert require(hands, ack(Lane.METRIC, Lane.STATE), signed=False) == ""
    for lanes in ([Lane.RESULT], [Lane.EVENT], [Lane.METRIC, Lane.RESULT]):
        assert require(hands, ack(*lanes), signed=False) == "message-unsigned"
        assert require(hands, ack(*lanes), signed=True) == ""
        assert require(hands, ack(*lanes, node=OTHER_NODE), signed=True) == "order-not-for-us"


def test_a_welcome_must_be_signed_and_answer_this_connection(hands: Hands) -> None:
    assert require(hands, Welcome(incarnation="i"), signed=False) == "message-unsigned"
    assert require(hands, Welcome(incarnation="i"), signed=True) == ""
    assert require(hands, Ask(wanted=Wanted.FULL), signed=False) == ""
    with pytest.raises(EnvelopeInvalid, match="another connection"):
        hands.desk.answered("another", 17)
    hands.desk.answered(hands.hello().nonce, 17)
    assert hands.heard == [17]


# --- site documents and trust -------------------------------------------------------------------------------


def test_a_site_document_is_kept_with_its_exact_bytes_and_only_grows(hands: Hands) -> None:
    frame = hands.fleet.site_document(SITE, 5)
    assert hands.hello().desired == -1
    assert hands.hear(frame, "document") == ""
    kept = hands.store.orders.document()
    assert kept is not None and frame_from(kept.frame) == frame
    assert hands.hear(hands.fleet.site_document(SITE, 4), "document") == "order-rolled-back"
    assert hands.hear(frame, "document") == ""  # it came again
    assert hands.hear(hands.fleet.site_document(SITE, 6), "document") == ""
    assert hands.hello().desired == 6
    assert hands.hear(hands.fleet.site_document("s-0000000000000009", 7), "document") == "order-not-for-us"


def test_going_back_takes_two_people_and_what_was_played_before_stays_refused(hands: Hands) -> None:
    fleet, both = hands.fleet, [hands.fleet.alice, hands.fleet.bob]
    old = fleet.site_document(SITE, 7, issued=1)
    hands.hear(fleet.site_document(SITE, 9, issued=2), "document")
    assert hands.hear(fleet.site_document(SITE, 5, force=True, issued=3), "document") == "message-untrusted"
    back = fleet.site_document(SITE, 5, both, force=True, issued=3)
    assert hands.hear(back, "document") == ""
    assert hands.hello().desired == 5
    assert hands.hear(back, "document") == ""  # it came again
    assert hands.hear(old, "document") == "order-replayed"
    assert hands.hear(fleet.site_document(SITE, 10, issued=4), "document") == ""
    assert hands.hear(back, "document") == "order-replayed"
    assert hands.hello().desired == 10


def test_the_next_trust_document_takes_the_place_of_the_one_before(hands: Hands) -> None:
    fleet = hands.fleet
    frame = fleet.next_document(revoked=(fleet.alice.key_id,))
    assert hands.hear(frame, "trust") == ""
    assert hands.hello().trust == 2
    assert hands.hear(hands.command(signers=[fleet.alice])) == "message-revoked"
    assert hands.hear(FakeFleet().next_document(), "trust") == "message-untrusted"


def test_what_cannot_be_kept_is_refused(hands: Hands) -> None:
    hands.keys.is_full = True
    assert hands.hear(hands.fleet.next_document(), "trust") == "order-not-kept"


def test_another_fleet_counts_anew(hands: Hands) -> None:
    for _ in range(5):
        hands.hear(hands.command())
    hands.work()
    assert hands.store.orders.counter(hands.fleet.document.fleet_id) == 5
    assert hands.store.orders.counter(OTHER_FLEET) == 0


# --- what is told -------------------------------------------------------------------------------------------


def test_a_hostile_broker_cannot_fill_outbox_journal_or_findings(hands: Hands) -> None:
    for number in range(2000):
        hands.hear(hands.command(signers=[]))
        hands.desk.refused("", f"strange-{number}", "x" * 10_000)
    told = [one for one in hands.link.events if one.kind is EventKind.ORDER_REFUSED]
    assert len(told) <= 33
    assert told[0].subject == "message-unsigned"
    entries = hands.journal.after(0, 1000)
    assert len(entries) <= 33 and all(len(one.detail) <= 1024 for one in entries)
    assert sum(one.count for one in hands.desk.status().refused) == 4000
    hands.clock.advance(3601)
    hands.hear(hands.command(signers=[]))
    assert hands.link.events[-1].params["count"] == "2000"  # all since the first


def test_what_was_refused_is_a_finding_for_a_day(hands: Hands) -> None:
    hands.hear(hands.command(signers=[]))
    assert [one.code for one in hands.desk.status().refused] == ["message-unsigned"]
    hands.clock.advance(timedelta(days=1).total_seconds() + 1)
    assert hands.desk.status().refused == ()


def test_the_journal_names_who_ordered_what_and_what_came_of_it(hands: Hands) -> None:
    hands.hear(hands.command())
    hands.work()
    accepted, done = hands.journal.after(0, 10)
    assert (accepted.actor, accepted.action, accepted.outcome) == ("fleet:alice", "order:logs", "accepted")
    assert accepted.params == {"command": "c-0000000000000001", "counter": "1", "signed": "controller"}
    assert (done.outcome, done.params) == ("done", {"command": "c-0000000000000001"})
    head = hands.hello().audit
    assert head is not None and (head.count, head.hash) == (2, done.hash)


def test_what_the_fleet_does_not_have_of_the_journal_is_sent_and_nothing_twice(hands: Hands) -> None:
    hands.journal.note("local:anna", "job:up", "started")
    hands.journal.note("local:anna", "job:down", "started")
    hands.work()
    assert not hands.link.said  # nobody said yet what the fleet has
    hands.desk.audited(1)
    hands.work()
    (sent,) = hands.link.said
    assert isinstance(sent, AuditEntries) and [one.number for one in sent.entries] == [2]
    hands.journal.note("local:anna", "job:up", "started")
    hands.work()
    last = hands.link.said[-1]
    assert isinstance(last, AuditEntries) and [one.number for one in last.entries] == [3]
    hands.desk.audited(3)
    hands.work()
    assert len(hands.link.said) == 2


def test_a_controller_from_a_backup_is_sent_the_journal_again_from_where_it_is(hands: Hands) -> None:
    for _ in range(3):
        hands.journal.note("local:anna", "job:up", "started")
    hands.desk.audited(0)
    hands.work()
    hands.desk.audited(1)
    hands.work()
    sent = [one for one in hands.link.said if isinstance(one, AuditEntries)]
    assert [[entry.number for entry in one.entries] for one in sent] == [[1, 2, 3], [2, 3]]


# --- results ------------------------------------------------------------------------------------------------


def test_a_large_result_travels_in_pieces_as_there_is_room(hands: Hands) -> None:
    hands.agent.text = tuple(f"line {number} " + "x" * 90 for number in range(9000))
    hands.link.is_acknowledged = False
    hands.hear(hands.command())
    hands.work(5)
    order = "c-0000000000000001"
    assert hands.link.waiting < 1 << 20 < len("\n".join(hands.agent.text)) * 4 / 3
    first = hands.link.data(order)
    hands.start()  # the agent starts anew: it goes on where it was
    while hands.link.waiting:
        hands.link.acknowledge()
        hands.work(120)
    data = hands.link.data(order)
    assert data == "\n".join(hands.agent.text).encode() and data.startswith(first)
    pieces = [one.piece for one in hands.link.said if isinstance(one, Result)]
    assert pieces == sorted(set(pieces))


def test_a_full_outbox_has_new_orders_refused_and_not_dropped(hands: Hands) -> None:
    hands.link.waiting = hands.link.limit - 1000
    hands.hear(hands.command())
    hands.work(60)
    assert not hands.agent.done
    hands.link.acknowledge()
    hands.work()
    assert hands.link.outcomes() == [("c-0000000000000001", "refused", "order-no-room")]


def test_the_results_of_the_last_orders_are_kept_and_older_ones_go(hands: Hands) -> None:
    frames = [hands.command() for _ in range(60)]
    for frame in frames:
        hands.hear(frame)
        hands.work()
    assert len(hands.store.orders.known()) <= 51
    assert hands.hear(frames[0]) == "order-replayed"
    assert hands.hear(frames[-1]) == ""
    assert sum(hands.agent.done.values()) == 60
