"""Whatever order, repetition, loss, restart or failure: each event is stored exactly once or lies in a true gap.

A machine sends a node's messages to the store as a bad network would, and a plain model says what must be there.
"""

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archipel_contract.link.epochs import Lane
from archipel_fleet.ports import Arrival
from archipel_fleet.records import EVERYTHING
from archipel_fleet.storage import SqlStore, bulk, open_store
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fleet.storage.speech import NOW, Speaker

Place = tuple[int, int]  # epoch, sequence


class Broken(Exception):
    """Stands for whatever nobody thought of."""


@functools.cache
def _empty() -> bytes:
    """A new database; making one takes longer than a whole run."""
    with tempfile.TemporaryDirectory() as directory:
        open_store("", Path(directory), FakeClock(NOW), CountedEntropy()).close()
        return (Path(directory) / "fleet.db").read_bytes()


class Machine(RuleBasedStateMachine):
    """One node, and a store that is opened again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        (Path(self.directory.name) / "fleet.db").write_bytes(_empty())
        self.pi = Speaker()
        self.made: dict[Place, Arrival] = {}
        self.arrived: set[Place] = set()
        self.lost: set[Place] = set()
        self.replaced: set[Place] = set()
        self.waiting: list[Arrival] = []
        self.store = self.open()
        self.store.take(self.pi.birth())

    def open(self) -> SqlStore:
        return open_store("", Path(self.directory.name), FakeClock(NOW), CountedEntropy())

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    # --- the node ----------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 6))
    def happen(self, count: int) -> None:
        """Events are made; whether and when they arrive is decided elsewhere."""
        for _ in range(count):
            event = self.pi.event(text="x")
            place = (event.envelope.epoch, event.envelope.sequence)
            self.made[place] = event
            self.waiting.append(event)

    @rule()
    def restart_the_node(self) -> None:
        self.pi = self.pi.restarted()
        self.store.take([self.pi.hello()])

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def drop_some_and_declare_them(self, data: st.DataObject) -> None:
        """A gap over a range of one epoch: true for what has not arrived, and needless for the rest."""
        epoch = data.draw(st.sampled_from(sorted({epoch for epoch, _ in self.made})))
        sequences = [sequence for one, sequence in self.made if one == epoch]
        first = data.draw(st.integers(1, max(sequences)))
        last = data.draw(st.integers(first, max(sequences)))
        self.store.take([self.pi.gap(epoch, first, last)])
        self.lost |= {(epoch, number) for number in range(first, last + 1)} - self.arrived - self.replaced

    @rule()
    def replace_the_newest(self) -> None:
        """A message says that the one before it is not needed any more."""
        old = self.pi.sequences.get(Lane.EVENT, 0)
        if not old:
            return
        epoch = self.pi.epoch(Lane.EVENT)
        event = self.pi.event(text="x")
        event = replace(event, envelope=replace(event.envelope, replaces=(old,)))
        self.made[epoch, old + 1] = event
        if (epoch, old) not in self.arrived | self.lost:
            self.replaced.add((epoch, old))
        self.deliver([event])

    # --- the network -------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def some_arrive(self, data: st.DataObject) -> None:
        """Any of what waits, in any order, some of it twice; what is taken out again never arrives otherwise."""
        chosen = data.draw(st.lists(st.sampled_from(self.waiting), max_size=8)) if self.waiting else []
        self.deliver(chosen)

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def an_old_one_arrives_again(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.made)))
        self.deliver([self.made[place]])

    def deliver(self, chosen: list[Arrival]) -> None:
        if not chosen:
            return
        taken = self.store.take(chosen)
        fresh = {(one.envelope.epoch, one.envelope.sequence) for one in chosen} - self.replaced
        self.lost -= fresh
        self.arrived |= fresh
        for ack in taken.acks[self.pi.node_id]:
            done = {number for one, number in self.arrived | self.lost | self.replaced if one == ack.epoch}
            said = set(range(1, ack.upto + 1)) | {
                n for first, last in ack.also for n in range(first, last + 1)
            }
            assert said == done

    # --- the controller ----------------------------------------------------------------------------------------------

    @rule()
    def restart_the_controller(self) -> None:
        self.store.close()
        self.store = self.open()

    @precondition(lambda self: self.waiting)
    @rule(at=st.integers(1, 3))
    def a_batch_fails_in_the_middle(self, at: int) -> None:
        whole, left = bulk.write, at

        def failing(
            connection: sa.Connection, statement: bulk.Upsert, rows: Sequence[tuple[Any, ...]]
        ) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Broken
            whole(connection, statement, rows)

        bulk.write = failing
        try:
            with pytest.raises(Broken):
                self.store.take(self.waiting)
        finally:
            bulk.write = whole

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def each_event_is_there_once_or_in_a_gap(self) -> None:
        stored = [
            (one.epoch, one.sequence) for one in self.store.events(EVERYTHING, self.pi.site, limit=1000)
        ]
        assert sorted(stored) == sorted(self.arrived)
        detail = self.store.site(EVERYTHING, self.pi.site, NOW)
        assert detail is not None
        gaps = [(one.epoch, number) for one in detail.gaps for number in range(one.first, one.last + 1)]
        assert sorted(gaps) == sorted(self.lost)


def test_each_event_is_stored_exactly_once_or_declared_lost() -> None:
    settings = hypothesis.settings(max_examples=12, stateful_step_count=20)
    run_state_machine_as_test(Machine, settings=settings)


@pytest.mark.prove
def test_each_event_is_stored_exactly_once_or_declared_lost_at_length() -> None:
    settings = hypothesis.settings(max_examples=2000, stateful_step_count=60)
    run_state_machine_as_test(Machine, settings=settings)
