"""What is in memory only: samples until they are spilled, and everything else while the disk is full. Used by `lanes`."""

from collections.abc import Iterable

from archipel_agent.link.entries import Entry, Key
from archipel_contract.link.epochs import Lane

COUNT_LIMIT = 1000
BYTES_LIMIT = 512 << 10


class Held:
    """Entries in memory, in the order in which they were made."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def get(self, key: Key) -> Entry | None:
        """Return one entry."""
        return self._entries.get(key)

    def put(self, entries: Iterable[Entry]) -> None:
        """Hold entries; one of the same name is replaced."""
        self._entries.update({one.key: one for one in entries})

    def discard(self, entries: Iterable[Entry]) -> None:
        """Hold these no longer."""
        for one in entries:
            self._entries.pop(one.key, None)

    def all(self) -> list[Entry]:
        """Return everything."""
        return list(self._entries.values())

    def of(self, lane: Lane) -> list[Entry]:
        """Return the entries of one lane."""
        return [one for one in self._entries.values() if one.lane is lane]

    def durable(self) -> list[Entry]:
        """Return what should be on disk."""
        return [one for one in self._entries.values() if one.lane is not Lane.METRIC]

    def within(self, epoch: int, first: int, last: int) -> list[Entry]:
        """Return the entries of a range."""
        return [one for one in self._entries.values() if one.epoch == epoch and first <= one.sequence <= last]

    def excess(self) -> list[Entry]:
        """Return the oldest that are too many or too much: samples first, then events, never results."""
        entries = [*self.of(Lane.METRIC), *self.of(Lane.EVENT)]
        count, size = len(entries), sum(one.size for one in entries)
        found: list[Entry] = []
        for one in entries:
            if count <= COUNT_LIMIT and size <= BYTES_LIMIT:
                break
            found.append(one)
            count, size = count - 1, size - one.size
        return found
