"""What comes from outside may be anything that JSON can say; the database and the rest of the batch live with it."""

from dataclasses import replace

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from archipel_contract.facts import ClockQuality
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import (
    Event,
    EventKind,
    FullState,
    Gap,
    Hello,
    LinkPlan,
    Metrics,
    Presence,
)
from archipel_contract.site import Role
from archipel_contract.status import LinkMode
from archipel_fleet.domain.contact import Pulse, judge
from archipel_fleet.ports import Arrival
from archipel_fleet.records import EVERYTHING, SiteQuery
from archipel_fleet.storage import SqlStore, reading, schema
from tests.fleet.storage.speech import NOW, Speaker, site_id

# Numbers as the envelope lets them through, and far beyond in bodies; texts without what the link refuses.
BIG = st.integers(-(1 << 70), 1 << 70)
EPOCHS = st.integers(0, (1 << 63) - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["\0", "%", "' OR 1=1 --", "\n", " "]
)
STATE = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["node_name", "site_id", "health", "facts", "findings", "pods", "nodes", "conditions", "k3s", "term"]
)
BODIES = st.one_of(
    st.builds(Presence, connected=st.booleans(), connection=BIG),
    st.builds(
        Hello,
        site_id=TEXT | st.just(site_id(1)) | st.just(site_id(2)), site_name=TEXT, node_name=TEXT, hostname=TEXT,
        role=st.sampled_from(Role), fingerprint=TEXT, boot=TEXT, connection=BIG, agent_version=TEXT,
        epochs=st.dictionaries(TEXT, BIG, max_size=3), waiting=st.dictionaries(TEXT, BIG, max_size=3),
        plan=st.builds(LinkPlan, mode=st.sampled_from(LinkMode), every=BIG), rehearsed=st.booleans(),
    ),
    st.builds(FullState, state=st.dictionaries(KEYS, STATE, max_size=5), hash=TEXT),
    st.builds(Event, kind=st.sampled_from(EventKind), subject=TEXT, before=TEXT, after=TEXT, text=TEXT),
    st.builds(Gap, epoch=BIG, first=BIG, last=BIG, count=BIG),
    st.builds(Metrics, start=BIG, points=st.lists(
        st.lists(st.none() | st.floats(), max_size=7).map(tuple), max_size=3).map(tuple)),
)  # fmt: skip


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """A batch of messages of three nodes that say anything."""
    found = []
    for _ in range(draw(st.integers(1, 6))):
        pi = Speaker(draw(st.integers(1, 3)), clock=draw(st.sampled_from(ClockQuality)))
        said = pi.said(draw(BODIES), draw(EPOCHS), draw(EPOCHS), at=NOW)
        envelope = replace(
            said.envelope,
            at=draw(st.integers(-(1 << 63) + 1, (1 << 63) - 1)),
            up=draw(EPOCHS),
            replaces=tuple(draw(st.lists(EPOCHS, max_size=3))),
        )
        found.append(replace(said, envelope=envelope, payload=draw(st.binary(max_size=5)) or said.payload))
    return found


def test_anything_can_be_taken_and_read_again(store: SqlStore) -> None:
    @hypothesis.settings(max_examples=25)
    @hypothesis.given(arrivals())
    def take(batch: list[Arrival]) -> None:
        store.take(batch)
        for row in store.sites(EVERYTHING, SiteQuery(), NOW).rows:
            assert store.site(EVERYTHING, row.site_id, NOW) is not None
            store.events(EVERYTHING, row.site_id)
            store.contact_spans(EVERYTHING, row.site_id, 0, NOW)
            store.health_spans(EVERYTHING, row.site_id, 0, NOW)
        for node in store.nodes(EVERYTHING, NOW).rows:
            store.metrics(EVERYTHING, node.node_id, 0, NOW)
        store.sweep(NOW)

    take()


@pytest.mark.parametrize("word", ["a\0b", "\0", "x" * 100_000])
def test_texts_that_a_database_would_refuse_or_choke_on_are_made_harmless(store: SqlStore, word: str) -> None:
    pi = Speaker(site_name=word, name=word)
    store.take([pi.hello(hostname=word, fingerprint=word, agent_version=word), pi.full(agent_version=word)])
    (row,) = store.sites(EVERYTHING, SiteQuery(), NOW).rows
    assert "\0" not in row.name
    assert len(row.name) <= 300


def test_a_node_that_numbers_its_lanes_with_nonsense_is_acknowledged_for_what_it_said(
    store: SqlStore,
) -> None:
    pi = Speaker()
    highest = (1 << 63) - 1
    taken = store.take([*pi.birth(), pi.said(Event(kind=EventKind.NOTE), highest, highest)])
    ack = {one.epoch: one for one in taken.acks[pi.node_id]}[highest]
    assert (ack.upto, ack.also) == (0, ((highest, highest),))
    assert pi.epoch(Lane.STATE) in {one.epoch for one in taken.acks[pi.node_id]}


MOMENT = st.none() | st.integers(NOW - 100, NOW + 100)
PULSES = st.builds(Pulse, heard=MOMENT, touch=MOMENT, calm=MOMENT, owed=MOMENT)


def test_the_database_judges_contact_as_the_domain_does(store: SqlStore) -> None:
    store.take(Speaker().birth())

    @hypothesis.settings(max_examples=100)
    @hypothesis.given(
        pulses=st.lists(PULSES, min_size=1, max_size=6),
        listened=st.none() | st.integers(NOW - 60_200, NOW + 200),
        now=st.integers(NOW - 101, NOW + 101),
    )
    def compare(pulses: list[Pulse], listened: int | None, now: int) -> None:
        with store._writing() as connection:
            connection.execute(sa.delete(schema.sites))
            rows = [
                {"site_id": str(place), "customer": "default", "heard": one.heard, "touch": one.touch,
                 "calm": one.calm, "owed": one.owed}
                for place, one in enumerate(pulses)
            ]  # fmt: skip
            connection.execute(sa.insert(schema.sites), rows)
            state = reading.judged(schema.sites, listened, now)
            found = {
                key: value for key, value in connection.execute(sa.select(schema.sites.c.site_id, state))
            }
        assert found == {str(place): judge(one, listened, now) for place, one in enumerate(pulses)}

    compare()
