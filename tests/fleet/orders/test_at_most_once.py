"""Whatever is ordered, lost, repeated, cancelled or restored: no order is done twice, and counters only grow."""

import functools
import secrets
import tempfile
from pathlib import Path

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from archipel_contract.facts import ClockQuality
from archipel_contract.link.carrier import Outgoing
from archipel_fleet.order_records import OPEN, OrderState
from archipel_fleet.orders.rules import OrderRefused
from archipel_fleet.ports import Arrival
from archipel_fleet.records import EVERYTHING
from archipel_fleet.storage import open_store
from tests.fakes.fleet_context import FakeClock
from tests.fleet.orders.desk import OTTO, Desk
from tests.fleet.orders.devices import Device
from tests.fleet.storage.speech import NOW

DAY = 86_400


@functools.cache
def empty() -> bytes:
    """An empty database, made once: its steps take longer than everything else here."""
    with tempfile.TemporaryDirectory() as directory:
        open_store("", Path(directory), FakeClock(NOW), secrets.token_bytes).close()
        return (Path(directory) / "fleet.db").read_bytes()


class Queue(RuleBasedStateMachine):
    """One fleet, one node, and a way between them on which anything can happen."""

    @initialize()
    def begin(self) -> None:
        """An empty database, a node that was heard."""
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name) / "fleet.db"
        self.lives = 0
        self.file.write_bytes(empty())
        self.clock = FakeClock(NOW)
        self.desk = self.opened()
        self.device = Device()
        self.way: list[Outgoing] = []
        self.answers: list[Arrival] = []
        self.desk.meet(self.device)
        self.back_up()

    def opened(self) -> Desk:
        """The controller, started."""
        store = open_store("", Path(self.directory.name), self.clock, secrets.token_bytes)
        store.listening(self.clock.now() - 1000, self.clock.now())
        desk = Desk(store, self.clock)
        desk.orders._entropy = secrets.token_bytes
        return desk

    @rule()
    def order(self) -> None:
        """Somebody orders something."""
        self.desk.order(self.device)

    @rule()
    def cancel(self) -> None:
        """Somebody takes the newest order back."""
        newest = self.desk.store.book.orders(EVERYTHING, limit=1)
        for one in newest:
            try:
                self.desk.orders.cancel(OTTO, one.id)
            except OrderRefused:
                assert one.state not in (OrderState.QUEUED, OrderState.SENT)

    @rule()
    def hello(self) -> None:
        """A contact begins; what was on its way is lost."""
        self.way.clear()
        self.device.speaker.now = self.clock.now()
        self.desk.hears(self.device.hello())

    @rule()
    def send(self) -> None:
        """What waits is sent."""
        self.way += self.desk.sends(self.device)

    @rule(repeated=st.booleans(), count=st.integers(1, 3))
    def arrive(self, repeated: bool, count: int) -> None:
        """Some of what is on its way arrives, perhaps not for the last time."""
        arriving = self.way[:count]
        self.way = self.way if repeated else self.way[count:]
        before = self.device.counter
        self.answers += self.device.heed(arriving)
        assert self.device.counter >= before

    @rule(lost=st.booleans())
    def answer(self, lost: bool) -> None:
        """What the node said arrives, or never does."""
        said, self.answers = self.answers, []
        if not lost and said:
            self.desk.hears(*said)

    @rule()
    def lose_the_time(self) -> None:
        """The node's clock is not sure any more."""
        self.device.speaker.clock = ClockQuality.WRONG

    @rule()
    def wait(self) -> None:
        """Days go by."""
        self.clock.pass_by(2 * DAY)
        self.desk.sending.turn(self.clock.now())

    def back_up(self) -> None:
        """Keep a copy of the database."""
        self.desk.store.close()
        self.copy = self.file.read_bytes()
        self.desk = self.opened()

    @rule()
    def keep_a_copy(self) -> None:
        """Somebody makes a backup."""
        self.back_up()

    @rule()
    def restore(self) -> None:
        """The controller is restored from the copy: a new life, which knows nothing of what came after."""
        self.lives += 1
        self.desk.store.close()
        self.file.write_bytes(self.copy)
        self.desk = self.opened()
        with self.desk.store._writing() as connection:
            life = f"life {self.lives}"
            connection.exec_driver_sql(f"UPDATE meta SET value = '{life}' WHERE name = 'incarnation'")
        self.desk.store.close()
        self.desk = self.opened()
        self.way.clear()

    @invariant()
    def nothing_is_done_twice(self) -> None:
        """The node's own count is the judge."""
        done = getattr(self, "device", None)
        if done is not None:
            assert len(set(done.executed)) == len(done.executed)

    @invariant()
    def what_is_over_stays_over_and_what_is_done_was_done(self) -> None:
        """The fleet claims nothing the node did not do."""
        if getattr(self, "desk", None) is None:
            return
        for one in self.desk.store.book.orders(EVERYTHING, limit=500):
            assert (one.state in OPEN) == (one.ended is None) or one.sends == 0
            if one.state is OrderState.DONE:
                assert one.id in self.device.executed

    def teardown(self) -> None:
        """After all of it: a node that is there and knows the time is told everything, and comes to rest."""
        if getattr(self, "desk", None) is None:
            return
        try:
            self.device.speaker.clock = ClockQuality.SYNCHRONIZED
            fresh = self.desk.order(self.device)
            for _ in range(3):
                self.desk.meet(self.device)
            assert self.desk.now(fresh).state is OrderState.DONE
            assert len(set(self.device.executed)) == len(self.device.executed)
        finally:
            self.desk.store.close()
            self.directory.cleanup()


def test_no_order_is_done_twice_whatever_happens_on_the_way() -> None:
    settings = hypothesis.settings(max_examples=8, stateful_step_count=15, deadline=None)
    run_state_machine_as_test(Queue, settings=settings)
