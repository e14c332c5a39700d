"""Whatever is done to agent, broker, controller and disk: every event is at the controller once, or declared as lost."""

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archipel_agent.link import outbox, room
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.epochs import Lane, lane_of
from tests.agent.link.nodes import VirtualNode
from tests.fakes.carrier import Records

LARGE = "x" * 3000
LEAST_CAP = 20 << 10
KEPT = 12  # acknowledged entries, so that some are soon kept no longer


class Lives(RuleBasedStateMachine):
    """One node and its controller, and everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self._before = outbox.KEPT_COUNT, room.LEAST_CAP
        outbox.KEPT_COUNT, room.LEAST_CAP = KEPT, LEAST_CAP
        self.directory = Path(tempfile.mkdtemp(prefix="lives-"))
        self.node = VirtualNode(self.directory)
        self.told: dict[str, tuple[int, int]] = {}
        self.is_running = False
        self.is_full = False
        self.backup = Records()
        self.excuses: set[str] = set()

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """The agent starts."""
        self.random = random.Random(seed)
        self.start()

    # --- the agent ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.is_running)
    @rule()
    def start(self) -> None:
        """The agent starts."""
        self.is_running = True
        self.node.start()
        if self.is_full:
            self.fill()

    @precondition(lambda self: self.is_running)
    @rule()
    def kill(self) -> None:
        """The agent is killed, or the power goes."""
        if self.is_full:
            self.excuses.add("killed while the disk was full")
        self.is_running = False
        self.node.kill()

    @precondition(lambda self: self.is_running)
    @rule()
    def stop(self) -> None:
        """The agent ends in order."""
        self.is_running = False
        if self.is_full:
            self.excuses.add("killed while the disk was full")
        self.node.link.stop()
        self.node.kill()

    @precondition(lambda self: self.is_running)
    @rule(count=st.integers(1, 30), large=st.booleans())
    def tell(self, count: int, large: bool) -> None:
        """Things happen."""
        lanes = self.node.link._core._lanes
        assert lanes is not None
        for _ in range(count):
            text = f"{len(self.told)}{LARGE if large else ''}"
            self.told[text] = lanes.epochs[Lane.EVENT], lanes._next[Lane.EVENT]
            self.node.tell(text)
        if self.is_full and lanes.dropped:
            self.excuses.add("more than memory may hold")

    @precondition(lambda self: self.is_running)
    @rule(seconds=st.sampled_from([0.2, 30.0, 400.0]))
    def live(self, seconds: float) -> None:
        """Time passes."""
        self.node.run(seconds, turns=60.0)

    # --- the network and the controller --------------------------------------------------------------------------------

    @rule(
        trouble=st.sampled_from(
            ["cut", "broker away", "dumb", "controller away", "lossy", "repeating", "mixed up"]
        )
    )
    def trouble(self, trouble: str) -> None:
        """Something outside goes wrong, or right again if it was wrong already."""
        broker, controller = self.node.broker, self.node.controller
        if trouble in ("cut", "broker away"):
            broker.refuses = "link-broker-away" if trouble == "broker away" and not broker.refuses else ""
            broker.cut()
        elif trouble == "dumb":
            controller.is_acknowledging = not controller.is_acknowledging
        elif trouble == "controller away":
            (controller.go if controller.is_listening else controller.come)()
        else:
            broker.harm = self._harm(trouble)

    def _harm(self, trouble: str) -> Callable[[bool, Outgoing], Sequence[float]]:
        def harm(upwards: bool, message: Outgoing) -> Sequence[float]:
            if trouble == "lossy" and self.random.random() < 0.4:
                return ()
            late = [self.random.random() * (20.0 if trouble == "mixed up" else 0.0)]
            return [*late, 3.0] if trouble == "repeating" and self.random.random() < 0.4 else late

        return harm

    @precondition(lambda self: self.is_running)
    @rule()
    def peace(self) -> None:
        """For a while all is well outside."""
        self.node.heal()
        self.node.run(60.0)

    @rule()
    def back_up(self) -> None:
        """The controller's database is copied."""
        self.backup = self.node.controller.backup()

    @rule()
    def restore(self) -> None:
        """The controller's database is replaced by the copy."""
        self.excuses.add("restored")
        self.node.controller.restore(self.backup)

    # --- the disk ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_running)
    @rule()
    def fill(self) -> None:
        """The disk fills: what is there can be read, and nothing can grow."""
        self.is_full = True
        self._limit(0)  # SQLite takes the present size for less

    @precondition(lambda self: self.is_running and self.is_full)
    @rule()
    def clean(self) -> None:
        """There is room again."""
        self.is_full = False
        self._limit(1 << 30)

    def _limit(self, pages: int) -> None:
        shelf = self.node.link._core._outbox
        assert shelf is not None
        shelf._connection.execute(f"PRAGMA max_page_count={pages or 1}")

    @rule(small=st.booleans())
    def shrink(self, small: bool) -> None:
        """There is hardly any room for the lanes, or enough."""
        self.node.free = 0 if small else None
        self.excuses |= {"little room"} if small else set()

    @precondition(lambda self: not self.is_running and self.node.outbox.exists())
    @rule(how=st.sampled_from(["rubbish", "gone", "newer"]))
    def damage(self, how: str) -> None:
        """The outbox is damaged while the agent is down."""
        self.excuses.add("damaged")
        path = self.node.outbox
        for one in (path.with_name("outbox.db-wal"), path.with_name("outbox.db-shm")):
            one.unlink(missing_ok=True)
        if how == "rubbish":
            path.write_bytes(b"this is no database " * 400)
        elif how == "gone":
            path.unlink()
        else:
            data = bytearray(path.read_bytes())
            data[60:64] = (99).to_bytes(4, "big")  # user_version (sqlite.org/fileformat.html, 1.3)
            path.write_bytes(bytes(data))

    # --- the end -----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All is well again: everything is said, and nothing is missing that was not declared."""
        try:
            if not hasattr(self, "random"):
                return
            if not self.is_running:
                self.is_full = False
                self.start()
            elif self.is_full:
                self.clean()
            self.node.free = None
            self.node.settle()
            self._check()
        finally:
            outbox.KEPT_COUNT, room.LEAST_CAP = self._before
            if self.is_running:
                self.node.link.stop()
            shutil.rmtree(self.directory)

    def _check(self) -> None:
        controller, status = self.node.controller, self.node.link.status()
        assert status.waiting == 0, f"{status.waiting} messages were never acknowledged"
        arrived: dict[str, list[tuple[int, int]]] = {}
        for key, event in controller.records.events.items():
            arrived.setdefault(event.text, []).append(key)
        for text, key in self.told.items():
            if text in arrived:
                assert arrived[text] == [key], f"{text[:8]} arrived as {arrived[text]}, it is {key}"
            else:
                assert controller.missing(*key), f"{text[:8]} {key} is lost without a word"
                assert self.excuses, f"{text[:8]} is lost for no reason"
        if not self.excuses:
            assert [one for one in controller.records.gaps if lane_of(one.epoch) < Lane.STATE] == []


QUICK = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
LONG = settings(QUICK, max_examples=3000, stateful_step_count=60)


def test_every_event_arrives_once_or_is_declared_as_lost() -> None:
    run_state_machine_as_test(Lives, settings=QUICK)


@pytest.mark.prove
def test_every_event_arrives_once_or_is_declared_as_lost_in_very_many_lives() -> None:
    run_state_machine_as_test(Lives, settings=LONG)
