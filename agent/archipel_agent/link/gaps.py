"""Declared gaps while they can still grow: losses of one kind next to one another become one message. Pure; used by `lanes`.

A gap that was offered to the carrier may have arrived, so it is never changed again: `seal` it then.
"""

from dataclasses import dataclass

from archipel_agent.link.entries import Entry, Range
from archipel_contract.link.messages import GapReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that will never come: a range of one epoch, why, and how many of it are known to be lost (0: unknown)."""

    epoch: int
    span: Range
    reason: GapReason
    count: int = 0

    def joined(self, other: "Loss") -> "Loss | None":
        """Return both as one, or None where they are of another kind or not next to one another."""
        same = (self.epoch, self.reason) == (other.epoch, other.reason)
        if not same or other.span[0] > self.span[1] + 1 or self.span[0] > other.span[1] + 1:
            return None
        span = min(self.span[0], other.span[0]), max(self.span[1], other.span[1])
        return Loss(epoch=self.epoch, span=span, reason=self.reason, count=self.count + other.count)


class OpenGaps:
    """The newest gap of each epoch and reason, with the entry that says it."""

    def __init__(self, known: dict[tuple[int, GapReason], tuple[Loss, Entry]] | None = None) -> None:
        self._known = dict(known or {})

    def copy(self) -> "OpenGaps":
        """Return one that can be changed without this one."""
        return OpenGaps(self._known)

    def growing(self, loss: Loss) -> tuple[Loss, Entry] | None:
        """Return what `loss` becomes with the open gap it belongs to, and that gap's entry; None if there is none."""
        found = self._known.get((loss.epoch, loss.reason))
        both = found[0].joined(loss) if found else None
        return (both, found[1]) if both and found else None

    def set(self, loss: Loss, entry: Entry) -> None:
        """Remember what `entry` says now."""
        self._known[loss.epoch, loss.reason] = loss, entry

    def seal(self, entry: Entry) -> None:
        """Never change `entry` again."""
        self._known = {kind: one for kind, one in self._known.items() if one[1].key != entry.key}
