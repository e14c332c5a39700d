"""Which sequences of one epoch are done: everything up to a number, and ranges beyond it. Bounded, pure, no I/O.

Done is what arrived, what a later message replaced, and what the node declared as lost. What is beyond the first hole and
would need one range more than LIMIT is refused: unacknowledged, it is sent again when the holes are closed.
"""

from bisect import bisect_right

from archipel_contract.link.messages import EpochAck

LIMIT = 256
Range = tuple[int, int]


class Ranges:
    """A set of positive whole numbers as disjoint ranges in ascending order, neighbours joined."""

    __slots__ = ("spans",)

    def __init__(self, spans: list[Range] | None = None) -> None:
        self.spans: list[Range] = spans or []

    @classmethod
    def parse(cls, text: str) -> "Ranges":
        """Return the ranges of `text`, as `str()` made it: `1-5,9,12-13`."""
        spans = []
        for part in text.split(",") if text else ():
            first, _, last = part.partition("-")
            spans.append((int(first), int(last or first)))
        return cls(spans)

    def __str__(self) -> str:
        return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in self.spans)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self.spans, (number, 1 << 64)) - 1
        return place >= 0 and self.spans[place][1] >= number

    def add(self, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`."""
        spans = self.spans
        if spans and first == spans[-1][1] + 1:  # by far the most frequent: the next in order
            spans[-1] = (spans[-1][0], last)
            return
        kept = [one for one in spans if one[1] < first - 1]
        touched = [one for one in spans if one[1] >= first - 1 and one[0] <= last + 1]
        behind = [one for one in spans if one[0] > last + 1]
        merged = (min([first, *(one[0] for one in touched)]), max([last, *(one[1] for one in touched)]))
        self.spans = [*kept, merged, *behind]

    def remove(self, number: int) -> None:
        """Take one number out."""
        found = []
        for first, last in self.spans:
            if first <= number <= last:
                found += [one for one in ((first, number - 1), (number + 1, last)) if one[0] <= one[1]]
            else:
                found.append((first, last))
        self.spans = found

    def missing(self, first: int, last: int) -> list[Range]:
        """Return the ranges within `first` to `last` that are not in this set."""
        found = []
        for start, end in self.spans:
            if end < first:
                continue
            if start > last:
                break
            if start > first:
                found.append((first, start - 1))
            first = end + 1
        if first <= last:
            found.append((first, last))
        return found

    def fits(self, number: int) -> bool:
        """Return whether adding `number` keeps the set within LIMIT ranges."""
        return len(self.spans) < LIMIT or any(first - 1 <= number <= last + 1 for first, last in self.spans)

    def holes(self) -> int:
        """Return how many numbers from 1 to the largest are not in this set."""
        if not self.spans:
            return 0
        return self.spans[-1][1] - sum(last - first + 1 for first, last in self.spans)

    def ack(self, epoch: int, end: int) -> EpochAck:
        """Return what to acknowledge of `epoch`, up to sequence `end` (the largest that is known to exist)."""
        spans = [(first, min(last, end)) for first, last in self.spans if first <= end]
        upto = spans.pop(0)[1] if spans and spans[0][0] == 1 else 0
        return EpochAck(epoch=epoch, upto=upto, also=tuple(spans))
