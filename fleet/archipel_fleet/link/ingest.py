"""From the broker into the store: gathers what nodes say into batches, commits them, and only then answers.

Runs in one thread of its own, started by `serve`. What a message says is judged by `check`, what it means by the store.
Nothing is acknowledged that was not committed: when the database cannot be used the batch waits and nothing more is
read, so that memory stays bounded; after a while nodes are told that nobody listens.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from archipel_contract.link.carrier import Arrived, Incoming, Lost
from archipel_contract.link.messages import Hello
from archipel_contract.trust.keys import SigningFailed
from archipel_fleet.device_records import Spoken
from archipel_fleet.link.answers import answers
from archipel_fleet.link.check import Checker, Passed, Refused
from archipel_fleet.link.connection import Connection
from archipel_fleet.link.patience import Patience
from archipel_fleet.link.surroundings import Identity, Surroundings
from archipel_fleet.link.warnings import Warnings
from archipel_fleet.ports import Arrival, StoreFailed, Taken

WINDOW_SECONDS = 0.05  # how long a batch is gathered
SLICE_SECONDS = 0.01
BATCH = 1000  # messages
UNACKNOWLEDGED = 16  # mosquitto hands out 20 at QoS 1 before it waits for us
IDLE_SECONDS = 10.0
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # between attempts to commit the same batch
PATIENCE_SECONDS = 5.0  # without a database; then nodes are told
DATABASE = ("fleet-database-", "fleet-disk-")  # how the codes of a store that failed begin
UNSTORABLE = "message-unstorable"
T = TypeVar("T")


@dataclass(slots=True)
class _Batch:
    arrivals: list[Arrival] = field(default_factory=list)
    incoming: list[Incoming] = field(default_factory=list)  # to acknowledge to the broker, refused ones too
    size: int = 0


class Ingest:
    """The ingest; `run` is its thread."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._patience = Patience()
        self._connection = Connection(around)
        identity = around.identity
        self._checker = Checker(identity.senders if identity is not None else None)
        self._warnings = Warnings(around)
        self._log = structlog.get_logger("archipel_fleet.link")

    @property
    def listening_seconds(self) -> float | None:
        """For how long nodes have been listened to; None while they are not. May be read from any thread."""
        return self._connection.seconds

    def wake(self) -> None:
        """Let `run` notice that the end has come; from any thread."""
        self._around.carrier.wake()

    def run(self) -> None:
        """Take in what nodes say until the end; what was gathered by then is still committed and answered."""
        around = self._around
        while not around.stop.is_set():
            if not self._connection.stands and not self._connection.open():
                around.stop.wait(self._connection.delay())
                continue
            self.turn(IDLE_SECONDS)
        if self._connection.stands:
            self.turn(0.0)
            self._connection.leave()

    def turn(self, seconds: float) -> None:
        """Gather one batch, waiting up to `seconds` for its first message, commit and answer it."""
        batch = self._gather(seconds)
        if batch.arrivals and not self._commit(batch.arrivals):
            return
        self._connection.acknowledge(batch.incoming)
        waited, shards = self._patience.due(self._around.clock.monotonic())
        if waited.acks:
            self._answer([waited], shards)
        self._warnings.write()
        if self._around.identity is not None:
            self._go_on(self._around.identity, batch.arrivals)

    # --- gathering ---------------------------------------------------------------------------------------------------

    def _gather(self, seconds: float) -> _Batch:
        around = self._around
        batch = _Batch()
        self._sort(around.carrier.receive(seconds), batch)
        if not batch.size:
            return batch
        until = around.clock.monotonic() + WINDOW_SECONDS
        while (
            self._connection.stands
            and batch.size < BATCH
            and len(batch.incoming) < UNACKNOWLEDGED
            and around.clock.monotonic() < until
            and not around.stop.wait(SLICE_SECONDS)
        ):
            self._sort(around.carrier.receive(0.0), batch)
        return batch

    def _sort(self, arrived: Sequence[Arrived], batch: _Batch) -> None:
        now = self._around.clock.now()
        for one in arrived:
            batch.size += 1
            if isinstance(one, Lost):
                self._connection.lost(one.detail)
                continue
            if one.token is not None:
                batch.incoming.append(one)
            try:
                batch.arrivals.append(self._checked(one, now))
            except Passed:
                continue
            except Refused as refused:
                self._refuse(refused, one.topic)
                if refused.instead is not None:
                    batch.arrivals.append(refused.instead)

    def _checked(self, incoming: Incoming, now: int) -> Arrival:
        """Check a message; while the registry of devices cannot be asked, it waits. Raises Passed, Refused."""
        topic, payload, retained = incoming.topic, incoming.payload, incoming.retained
        found = self._patiently(lambda: self._checker.check(topic, payload, now, retained))
        if found is None:
            raise Passed("the end came before anybody could say whose it is")
        return found

    def _refuse(self, refused: Refused, topic: str) -> None:
        around = self._around
        now, monotonic = around.clock.now(), around.clock.monotonic()
        around.measures.refused.labels(refused.code).inc()
        around.notices.refused(refused, topic, now, monotonic)
        self._warnings.note(refused, monotonic)

    # --- committing --------------------------------------------------------------------------------------------------

    def _commit(self, arrivals: list[Arrival]) -> bool:
        """Commit and answer; False when the end came before the database could be used."""
        around = self._around
        began = around.clock.monotonic()
        taken = self._patiently(lambda: self._take(arrivals))
        if taken is None:
            return False
        around.measures.commit.observe(around.clock.monotonic() - began)
        around.measures.batch.observe(len(arrivals))
        for name, count in Counter(one.envelope.type for one in arrivals).items():
            around.measures.messages.labels(name).inc(count)
        shards, monotonic = {one.node_id: one.shard for one in arrivals}, around.clock.monotonic()
        self._patience.heard(arrivals)
        self._answer([self._patience.sorted(one, shards, monotonic) for one in taken], shards)
        return True

    def _patiently(self, attempt: Callable[[], T]) -> T | None:
        """Return what `attempt` returns once the database can be used; None when the end comes before that."""
        around = self._around
        began: float | None = None
        for count in range(1 << 62):
            try:
                done = attempt()
            except StoreFailed as error:
                around.measures.store_failures.labels(error.code).inc()
                around.notices.hold(error.code, around.clock.now(), detail=str(error))
            else:
                if began is not None:
                    for prefix in DATABASE:
                        around.notices.clear_all(prefix)
                return done
            began = around.clock.monotonic() if began is None else began
            if around.clock.monotonic() - began >= PATIENCE_SECONDS:
                self._connection.leave()
            if around.stop.wait(RETRY_SECONDS[min(count, len(RETRY_SECONDS) - 1)]):
                break
        return None

    def _take(self, arrivals: list[Arrival]) -> list[Taken]:
        """Commit; a message the store stumbles over is looked for by halves, refused, and the rest goes on."""
        try:
            return [self._around.store.take(arrivals)]
        except StoreFailed:
            raise
        except Exception as error:  # noqa: BLE001 - one message nobody thought of must not end the intake of all
            if len(arrivals) > 1:
                half = len(arrivals) // 2
                return self._take(arrivals[:half]) + self._take(arrivals[half:])
            only = arrivals[0]
            self._log.exception("a message cannot be stored", node=only.node_id, type=only.envelope.type)
            detail = f"{only.envelope.type}: {type(error).__name__}"
            self._refuse(Refused(UNSTORABLE, detail, only.node_id), f"from {only.node_id}")
            return []

    def _answer(self, parts: list[Taken], shards: dict[str, int]) -> None:
        around = self._around
        now = around.clock.now()
        keys = around.identity.keys if around.identity is not None else None
        sent = dropped = 0
        for taken in parts:
            around.measures.duplicates.inc(taken.duplicates)
            try:
                for message in answers(taken, shards, now, keys):
                    if self._connection.send(message):
                        sent += 1
                    else:
                        dropped += 1
            except SigningFailed as error:
                self._log.error("answers cannot be signed", detail=str(error))
                dropped += 1
            around.changed(taken.changed_sites)
        around.measures.answers.inc(sent)
        around.measures.unanswered.inc(dropped)

    # --- beyond answers ----------------------------------------------------------------------------------------------

    def _go_on(self, identity: Identity, arrivals: Sequence[Arrival]) -> None:
        """Say what else is to be said: to nodes that have just said hello, and to those somebody ordered something of.

        What the database refuses now is said at the next contact.
        """
        around = self._around
        said_hello = [one for one in arrivals if isinstance(one.body, Hello) and one.signed_by]
        nodes = identity.downlink.waiting() | {one.node_id for one in said_hello}
        if not nodes or not self._connection.stands:
            return
        now, missed = around.clock.now(), set()
        try:
            identity.devices.seen(
                [Spoken(one.node_id, one.signed_by, one.body.site_id) for one in said_hello], now
            )
            for node_id, message in identity.downlink.messages(nodes, now):
                if not self._connection.send(message):
                    missed.add(node_id)
        except StoreFailed as error:
            around.measures.store_failures.labels(error.code).inc()
            missed = set(nodes)
        if missed:
            identity.downlink.again(missed)
