"""What the outbox is made of: entries, their stamps, the gap that is declared for lost ones, and ranges of sequences. Pure.

Used by `shelf` (which keeps entries on disk), `outbox` and `engine`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from archipel_contract.facts import ClockQuality
from archipel_contract.link.delta import compact
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import KINDS, Gap, GapReason

Key = tuple[int, int]  # (epoch, sequence): names one message of a node for ever
Range = tuple[int, int]
OVERHEAD = 96  # bytes an entry takes on disk and in memory beside its body

# The last sequence of an epoch, where nobody knows it.
OPEN_END = (1 << 62) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """When something was made, and how far that may be believed: see `envelope.Envelope`."""

    at: int
    clock: ClockQuality = ClockQuality.UNKNOWN
    up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message that waits for the controller's word; `body` is compact JSON."""

    epoch: int
    sequence: int
    lane: Lane
    type: str
    stamp: Stamp
    body: bytes

    @property
    def key(self) -> Key:
        """What names it."""
        return self.epoch, self.sequence

    @property
    def size(self) -> int:
        """Bytes it counts for."""
        return len(self.body) + OVERHEAD

    @property
    def qos(self) -> int:
        """How it is handed to the broker."""
        return KINDS[self.type].qos


@dataclass(slots=True, kw_only=True)
class Change:
    """What is written to the disk at once: all of it or nothing."""

    insert: list[Entry] = field(default_factory=list)
    replace: list[Entry] = field(default_factory=list)  # a new body for an entry that is there
    delete: list[Key] = field(default_factory=list)
    gone: dict[int, int] = field(default_factory=dict)  # epoch -> up to which sequence something was deleted


def body_of(value: Any) -> bytes:
    """Return a message's body as compact JSON; halves of surrogate pairs become `?`."""
    return json.dumps(compact(value), separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def gap(epoch: int, span: Range, reason: GapReason, count: int = 0) -> Gap:
    """Return the declaration that `span` will never come; an OPEN_END travels as 0."""
    first, last = span
    return Gap(epoch=epoch, first=first, last=0 if last >= OPEN_END else last, reason=reason, count=count)


def joined(sequences: Iterable[int]) -> list[Range]:
    """Return the ranges that hold exactly these sequences."""
    found: list[Range] = []
    for one in sorted(sequences):
        if found and one <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(one, found[-1][1]))
        else:
            found.append((one, one))
    return found


def holes(first: int, last: int, present: Iterable[int]) -> list[Range]:
    """Return the ranges within `first` to `last` that hold none of `present`."""
    found = []
    for one in sorted(set(present)):
        if one < first:
            continue
        if one > last:
            break
        if one > first:
            found.append((first, one - 1))
        first = one + 1
    if first <= last:
        found.append((first, last))
    return found
