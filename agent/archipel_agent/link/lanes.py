"""The lanes of the outbox: numbers messages, keeps them until the controller has them, and declares what it must drop.

Events and results are on disk before `add` returns. Samples stay in memory and are spilled only while they cannot be sent.
When the disk is full, entries are held in memory, bounded; what is lost then is declared like everything else that is.
Called by `link` (new messages) and `engine` (what to send next, what was acknowledged) under one lock; no clock, no network.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from archipel_agent.link import chunks, room
from archipel_agent.link.entries import Change, Entry, Key, Range, Stamp, body_of, gap, holes
from archipel_agent.link.gaps import Loss, OpenGaps
from archipel_agent.link.held import Held
from archipel_agent.link.outbox import Outbox, OutboxUnusable
from archipel_contract.link.epochs import Lane, lane_of
from archipel_contract.link.messages import GapReason, Metrics

BROKEN = ("outbox-damaged", "outbox-newer")
Deletion = tuple[Key, int]  # and its bytes


def _unlimited() -> int | None:
    return None


class Lanes:
    """All lanes but STATE. Methods raise OutboxUnusable only when the outbox is broken and must be opened anew."""

    def __init__(
        self,
        outbox: Outbox,
        epochs: dict[Lane, int],
        free_bytes: Callable[[], int | None] = _unlimited,
    ) -> None:
        """`free_bytes` says how much room the disk has."""
        self._outbox, self.epochs, self._free_bytes = outbox, epochs, free_bytes
        self._next = dict.fromkeys(epochs, 1)
        self._held = Held()
        self._gone: dict[
            int, int
        ] = {}  # what was acknowledged while it was held, to be noted with the next change
        self._gaps = OpenGaps()
        self._tail: Entry | None = None  # the row of samples that may still grow
        self._sampled = 0  # highest sequence of a sample that was acknowledged
        self._marked = outbox.was_marked
        totals = outbox.totals()
        self._totals = {lane: totals.get(lane, (0, 0)) for lane in Lane}
        self.samples = chunks.Samples()
        self.dropped = 0
        self.trouble = ""  # finding's code while entries are held in memory

    # --- taking in ---------------------------------------------------------------------------------------------------

    def add(self, lane: Lane, type_: str, bodies: Sequence[bytes], stamp: Stamp) -> None:
        """Take in messages of a durable lane; on disk when this returns, or held while the disk is full.

        Raises LaneFull for results beyond their lane.
        """
        spare, losses = self._room(lane, sum(map(len, bodies)))
        entries = [self._numbered(lane, type_, body, stamp) for body in bodies]
        if not self._commit(entries, losses, spare, stamp):
            self._hold(entries, stamp)

    def declare(self, losses: Sequence[Loss], stamp: Stamp, delete: Sequence[Deletion] = ()) -> bool:
        """Say that something will never come, and delete it if it is here; return whether that is on disk."""
        done = self._commit([], losses, delete, stamp)
        if not done:
            self._declare_held(losses, stamp)
        return done

    def skip(self, lane: Lane, count: int, stamp: Stamp) -> None:
        """Declare `count` messages that were lost before they had a number."""
        first = self._next[lane]
        self._next[lane] = first + count
        span = first, first + count - 1
        self.declare([Loss(epoch=self.epochs[lane], span=span, reason=GapReason.SPACE, count=count)], stamp)

    def drop(self, entry: Entry, reason: GapReason, stamp: Stamp) -> None:
        """Give up an entry that can never be sent."""
        on_disk = entry.key not in self._held
        self._held.discard([entry])
        self.declare(room.losses([entry.key], reason), stamp, [(entry.key, entry.size)] if on_disk else ())

    def add_point(self, point: Metrics, stamp: Stamp) -> None:
        """Take in samples; in memory, and not yet a message. The use of the epoch must be on disk (`Memory.use`)."""
        full = self.samples.add(point, stamp)
        if full is not None:
            self._held.put([self._numbered(Lane.METRIC, "metrics", body_of(full[1]), full[0])])

    def spill(self, stamp: Stamp, everything: bool = False) -> bool:
        """Write what is held to the disk: samples once there are enough of them (or all), everything else in any case.

        Returns whether nothing is held any more.
        """
        chunk = None
        if self.samples.count and (everything or self.samples.count >= chunks.SPILL_POINTS):
            chunk = self.samples.take()
        change = Change()
        if chunk is not None:
            grown = (
                chunks.grown(self._tail, chunk[1]) if self._tail and not self._held.of(Lane.METRIC) else None
            )
            if grown is not None:
                change.replace.append(grown)
            else:
                self._held.put([self._numbered(Lane.METRIC, "metrics", body_of(chunk[1]), chunk[0])])
        change.insert += self._held.of(Lane.METRIC)
        spare, losses = self._room(Lane.METRIC, sum(one.size for one in (*change.insert, *change.replace)))
        last = [*change.insert, *change.replace][-1:]
        tail = self._tail
        if self._commit(change.insert, losses, spare, stamp, change.replace, durable=everything):
            grew = last[0].size - tail.size if last and tail and last[0].key == tail.key else 0
            self._totals[Lane.METRIC] = self._totals[Lane.METRIC][0], self._totals[Lane.METRIC][1] + grew
            self._tail = last[0] if last else self._tail
        else:
            refused = chunk is not None and bool(change.replace)
            again = (
                [self._numbered(Lane.METRIC, "metrics", body_of(chunk[1]), chunk[0])]
                if chunk and refused
                else []
            )
            self._hold(again, stamp)
        return not self._held.all()

    # --- giving out --------------------------------------------------------------------------------------------------

    def next(self, lane: Lane, skip: Collection[Key], limit: int) -> list[Entry]:
        """Return up to `limit` of the oldest messages of a lane, but those in `skip`; they will not change any more."""
        found: list[Entry] = []
        if self._totals[lane][0]:
            rows = self._outbox.waiting(lane, limit + len(skip))
            found = [one for one in rows if one.key not in skip]
        if lane is Lane.METRIC and len(found) < limit:
            chunk = self.samples.take()
            if chunk is not None:
                self._held.put([self._numbered(lane, "metrics", body_of(chunk[1]), chunk[0])])
        found += [one for one in self._held.of(lane) if one.key not in skip]
        found = found[:limit]
        for one in found:
            if self._tail and one.key == self._tail.key:
                self._tail = None
            if one.type == "gap":
                self._gaps.seal(one)
        return found

    def find(self, key: Key) -> Entry | None:
        """Return one message that waits, None if it is gone."""
        return self._held.get(key) or self._outbox.find(key)

    def waiting(self) -> room.Totals:
        """Return how many messages wait in each lane, and their bytes."""
        found = dict(self._totals)
        for one in self._held.all():
            found[one.lane] = found[one.lane][0] + 1, found[one.lane][1] + one.size
        if self.samples.count:
            found[Lane.METRIC] = found[Lane.METRIC][0] + 1, found[Lane.METRIC][1]
        return found

    def acknowledged(self, epoch: int, spans: Iterable[Range]) -> None:
        """The controller has these."""
        lane = lane_of(epoch)
        for first, last in spans:
            held = self._held.within(epoch, first, last)
            self._held.discard(held)
            for one in held if lane is not Lane.METRIC else ():
                self._gone[epoch] = max(self._gone.get(epoch, 0), one.sequence)
            if epoch == self.epochs[Lane.METRIC]:
                self._sampled = max(self._sampled, min(last, self._next[Lane.METRIC] - 1))
            if self._totals[lane][0]:
                try:
                    count, size = self._outbox.acknowledge(epoch, first, last)
                except OutboxUnusable as error:
                    self._note(error)  # it will be sent, and acknowledged, once more
                    return
                self._totals[lane] = self._totals[lane][0] - count, max(0, self._totals[lane][1] - size)

    def offer_again(self, stamp: Stamp, more: Sequence[Loss] = ()) -> bool:
        """The controller was restored from an older copy: offer what is kept, declare what is not, and `more`.

        Returns whether that is on disk.
        """
        try:
            self._outbox.offer_again()
        except OutboxUnusable as error:
            self._note(error)
            return False
        self._totals.update(self._outbox.totals())
        gone = {epoch: upto for epoch, (_, upto) in self._outbox.epochs().items() if upto}
        for epoch, upto in (*self._gone.items(), (self.epochs[Lane.METRIC], self._sampled)):
            gone[epoch] = max(gone.get(epoch, 0), upto)
        losses = list(more)
        for epoch, upto in sorted(gone.items()):
            held = [one.sequence for one in self._held.all() if one.epoch == epoch]
            spans = holes(1, upto, [*self._outbox.present(epoch), *held])
            losses += [Loss(epoch=epoch, span=span, reason=GapReason.NOT_KEPT) for span in spans]
        return self.declare(losses, stamp)

    # --- the disk ----------------------------------------------------------------------------------------------------

    def _room(self, lane: Lane, size: int) -> tuple[list[Deletion], list[Loss]]:
        limit = room.cap(lane, self._totals, self._free_bytes)
        return room.spare(self._outbox, lane, size, self._totals, limit)

    def _numbered(self, lane: Lane, type_: str, body: bytes, stamp: Stamp) -> Entry:
        number = self._next[lane]
        self._next[lane] = number + 1
        return Entry(epoch=self.epochs[lane], sequence=number, lane=lane, type=type_, stamp=stamp, body=body)

    def _commit(
        self,
        entries: Sequence[Entry],
        losses: Sequence[Loss],
        delete: Sequence[Deletion],
        stamp: Stamp,
        grown: Sequence[Entry] = (),
        durable: bool = False,
    ) -> bool:
        """Write all at once, with what was held so far; False when the disk takes nothing, and nothing has changed."""
        held = self._held.durable()
        change = Change(insert=[*held, *entries], replace=list(grown), delete=[key for key, _ in delete])
        gaps, number = self._gaps.copy(), self._next[Lane.RESULT]
        for loss in losses:
            self._declare_in(change, loss, stamp)
        if not (change.insert or change.replace or change.delete):
            return True
        deleted = [
            Loss(epoch=key[0], span=(key[1], key[1]), reason=GapReason.UNKNOWN) for key in change.delete
        ]
        change.gone = dict(self._gone)
        for loss in (*losses, *deleted):
            change.gone[loss.epoch] = max(change.gone.get(loss.epoch, 0), loss.span[1])
        durable = (
            durable
            or any(one.lane is not Lane.METRIC for one in (*change.insert, *change.replace))
            or bool(delete)
        )
        try:
            self._outbox.write(change, durable)
        except OutboxUnusable as error:
            self._gaps, self._next[Lane.RESULT] = gaps, number
            self._note(error)
            return False
        self._written(change, delete)
        self.dropped += sum(loss.count for loss in losses)
        return True

    def _written(self, change: Change, delete: Sequence[Deletion]) -> None:
        self._held.discard(change.insert)
        self._gone.clear()
        for one in change.insert:
            self._totals[one.lane] = self._totals[one.lane][0] + 1, self._totals[one.lane][1] + one.size
        for (epoch, _), size in delete:
            lane = lane_of(epoch)
            self._totals[lane] = self._totals[lane][0] - 1, max(0, self._totals[lane][1] - size)
        self.trouble = ""
        if self._marked:
            try:
                self._outbox.mark(False)
                self._marked = False
            except OutboxUnusable as error:
                self._note(error)

    def _declare_in(self, change: Change, loss: Loss, stamp: Stamp) -> None:
        """Add the declaration of a loss to a change: as part of an open gap where there is one."""
        growing = self._gaps.growing(loss)
        if growing is None:
            entry = self._numbered(Lane.RESULT, "gap", _said(loss), stamp)
            change.insert.append(entry)
        else:
            loss, entry = growing
            entry = replace(entry, body=_said(loss))
            places = [place for place, one in enumerate(change.insert) if one.key == entry.key]
            if places:
                change.insert[places[0]] = entry
            else:
                change.replace = [*(one for one in change.replace if one.key != entry.key), entry]
        self._gaps.set(loss, entry)

    def _hold(self, entries: Sequence[Entry], stamp: Stamp) -> None:
        """Keep entries in memory, because the disk takes nothing."""
        self._held.put(entries)
        excess = self._held.excess()
        self._held.discard(excess)
        self._declare_held(room.losses([one.key for one in excess], GapReason.SPACE), stamp)
        if not self._marked:
            try:
                self._outbox.mark(True)
                self._marked = True
            except OutboxUnusable as error:
                self._note(error)

    def _declare_held(self, losses: Sequence[Loss], stamp: Stamp) -> None:
        for loss in losses:
            growing = self._gaps.growing(loss)
            self.dropped += loss.count
            if growing is not None and growing[1].key in self._held:
                loss, entry = growing
                entry = replace(entry, body=_said(loss))
            else:
                entry = self._numbered(Lane.RESULT, "gap", _said(loss), stamp)
            self._held.put([entry])
            self._gaps.set(loss, entry)

    def _note(self, error: OutboxUnusable) -> None:
        """Go on in memory, unless the outbox is broken for good."""
        self.trouble = error.code
        if error.code in BROKEN:
            raise error


def _said(loss: Loss) -> bytes:
    return body_of(gap(loss.epoch, loss.span, loss.reason, loss.count))
