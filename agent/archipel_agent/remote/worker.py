"""Does orders one at a time in a thread of its own, and says what came of them. Made and woken by `desk`.

An order was kept on disk before it came here. Its result is on disk before `saying` says a word of it. What has no result
when the agent starts was cut off: it is answered as interrupted, and never done a second time.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable

from archipel_agent.ports import Cancelled, CommandFailed
from archipel_agent.remote.parts import RemoteParts, Teller
from archipel_agent.remote.pieces import headed
from archipel_agent.remote.reporter import AuditReporter
from archipel_agent.remote.saying import Saying
from archipel_agent.remote.verbs import VERBS, Answer, OrderUnfit, Work, actor
from archipel_agent.service import Refused
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.orders import KEPT_BYTES
from archipel_contract.commands import Action, Command, Outcome, Result

LOG = logging.getLogger(__name__)
LEAST_ROOM = 64 << 10
AGAIN_SECONDS = 60.0  # after a defect, or while the disk takes nothing
GOODBYE_SECONDS = 60.0  # for the last result to reach the fleet before the keys are wiped
STOP_SECONDS = 5.0


class Worker:
    """See the module."""

    def __init__(self, parts: RemoteParts, left: Callable[[], None]) -> None:
        """`left` is called once this node has left its fleet."""
        self._parts, self._left = parts, left
        self._teller: Teller | None = None
        self._queue: deque[Command] = deque()
        self._in_hand = 0  # commands that were put here and have no result yet
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._woken = False
        self._thread: threading.Thread | None = None
        self._saying = Saying(parts.orders)
        self._leaves = self._is_settled = False
        self.audit = AuditReporter(parts.journal, parts.ports.clock)

    # --- what others tell it -----------------------------------------------------------------------------------------

    def begin(self, teller: Teller, in_thread: bool = True) -> None:
        """Begin to work; without a thread somebody must call `step`."""
        self._teller = teller
        if in_thread:
            self._thread = threading.Thread(target=self._run, name="remote", daemon=True)
            self._thread.start()

    def put(self, command: Command) -> None:
        """Do a command that was kept."""
        self._in_hand += 1
        self._queue.append(command)
        self.wake()

    def tell(self, result: Result) -> None:
        """Say something that need not outlive a power cut."""
        self._saying.add(result)
        self.wake()

    @property
    def is_busy(self) -> bool:
        """Whether a command that came has no result in the outbox yet."""
        return self._in_hand > 0

    def wake(self) -> None:
        """There may be something to do or to say."""
        with self._changed:
            self._woken = True
            self._saying.hurry()
            self._changed.notify_all()

    def stop(self) -> None:
        """End; an order that is being done stays unanswered until the next start."""
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _settle(self) -> None:
        """Answer what was cut off before this start. Raises StateUnusable."""
        in_hand = {one.id for one in self._queue}  # came since the start, while the disk took nothing
        for command in self._parts.orders.unfinished():
            if command.id not in in_hand:
                text = "the power went, or the agent ended, while this was done; it is not done a second time"
                self._finish(
                    command, Answer(outcome=Outcome.INTERRUPTED, code="order-interrupted", text=text)
                )
        self._leaves = self._parts.orders.leaves()
        self._is_settled = True

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                self._woken = False
            try:
                wait = self.step()
            except Exception:  # the task boundary: a defect must not end the remote hands for good
                LOG.exception("remote hands have a defect; they go on")
                wait = AGAIN_SECONDS
            with self._changed:
                if not self._woken and not self._stopping.is_set():
                    self._changed.wait(wait)

    def step(self) -> float | None:
        """Say what can be said, do the next order; return the seconds until there may be more, None for nothing."""
        if self._teller is None:
            return None
        try:
            if not self._is_settled:
                self._settle()
            waits = self._saying.say(self._teller)
            if self._leaves:
                self._leave(self._teller)
                return None
            if self._queue:
                self._do(self._queue.popleft())
                return 0.0
            return self._soonest(waits, self.audit.step(self._teller))
        except StateUnusable as error:
            LOG.warning("remote hands wait: %s", error)
            return AGAIN_SECONDS

    def _soonest(self, waits: bool, audit: float | None) -> float | None:
        if not waits:
            return audit
        wait = self._saying.patience()
        return wait if audit is None else min(wait, audit)

    # --- doing -------------------------------------------------------------------------------------------------------

    def _do(self, command: Command) -> None:
        try:
            answer = self._refusal(command) or self._answer(command)
        except Cancelled:
            return  # the agent ends: the next start says so
        self._finish(command, answer)
        if self._teller is not None:
            self._saying.say(self._teller)
        self._in_hand -= 1

    def _refusal(self, command: Command) -> Answer | None:
        """Return why an authentic order is not done; None if it is."""
        if command.action in self._parts.veto:
            return _refused("order-vetoed", f"{command.action.value} is refused on site")
        if command.action not in VERBS:
            return _refused("order-unknown", "this agent does not know how to do that")
        room = self._teller.results()[1] if self._teller is not None else 0
        if self._parts.orders.unsaid_bytes() > KEPT_BYTES or room < LEAST_ROOM:
            return _refused(
                "order-no-room", "there is no room for the result; earlier ones have to arrive first"
            )
        return None

    def _answer(self, command: Command) -> Answer:
        try:
            return VERBS[command.action](Work(command, self._parts, self._wait))
        except OrderUnfit as error:
            return _refused("order-unfit", str(error))
        except Refused as error:
            return Answer(outcome=Outcome.FAILED, code=error.problem.error, text=error.problem.message)
        except Cancelled:
            raise
        except (CommandFailed, OSError, StateUnusable) as error:
            return Answer(outcome=Outcome.FAILED, code="order-failed", text=str(error))
        except Exception as error:  # the task boundary: a defect of one verb is its order's result
            LOG.exception("the order %s (%s) met a defect", command.id, command.action)
            text = f"{type(error).__name__}: {error}"
            return Answer(outcome=Outcome.FAILED, code="order-failed", text=text)

    def _wait(self, seconds: float) -> None:
        self._parts.ports.clock.wait(seconds)
        if self._stopping.is_set():
            raise Cancelled

    def _finish(self, command: Command, answer: Answer) -> None:
        """Keep a result, to be said; where the disk takes nothing, its outcome is said all the same."""
        head = Result(
            command=command.id,
            outcome=answer.outcome,
            code=answer.code,
            text=answer.text[:500],
            media=answer.media,
            name=answer.name,
            cut=answer.cut,
        )
        leaves = command.action is Action.DECOMMISSION and answer.outcome is Outcome.DONE
        try:
            self._parts.orders.finish(headed(head, answer.data), answer.data, leaves)
            self._leaves = self._leaves or leaves
        except StateUnusable as error:
            LOG.error("the result of %s is not kept: %s", command.id, error)
            self._saying.add(head)
        action = f"order:{command.action.value}"
        params = {"command": command.id, **({"code": answer.code} if answer.code else {})}
        self._parts.journal.note(actor(command), action, answer.outcome.value, answer.text, **params)

    # --- leaving -----------------------------------------------------------------------------------------------------

    def _leave(self, teller: Teller) -> None:
        """Give the last result time to arrive, and leave; where power goes meanwhile, the next start does it."""
        clock = self._parts.ports.clock
        self.audit.step(teller, at_once=True)
        until = clock.monotonic() + GOODBYE_SECONDS
        while teller.results()[0] and clock.monotonic() < until and not self._stopping.is_set():
            clock.wait(1.0)
        if not self._stopping.is_set():
            self._left()
            self._leaves = False


def _refused(code: str, text: str) -> Answer:
    return Answer(outcome=Outcome.REFUSED, code=code, text=text)
