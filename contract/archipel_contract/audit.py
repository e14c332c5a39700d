"""The audit journal of a device: who did what, as a chain in which each entry names the hash of the one before it.

Pure. The device appends and keeps, the fleet keeps a copy and checks: an entry that was changed or taken out no longer
fits the head the fleet has seen. The hash is SHA-256 over the compact JSON of the entry's fields in the order below,
`hash` left out.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

from archipel_contract.facts import ClockQuality
from archipel_contract.wire import to_data

BEGIN = ""  # what the first entry names as the hash before it
ACTION_LIMIT = 64
DETAIL_LIMIT = 1024  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where a chain ends: how many entries it has, and the hash of the last."""

    count: int = 0
    hash: str = BEGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One action. `actor` is `local:<user>`, `fleet:<account>` or `agent`; `at` is milliseconds since 1970 UTC by the
    device.
    """

    number: int  # 1, 2, 3...
    at: int
    clock: ClockQuality
    actor: str
    action: str
    outcome: str = ""
    detail: str = ""
    params: dict[str, str] = field(default_factory=dict)
    before: str = BEGIN
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntries:
    """Entries on their way to the fleet, oldest first, without a hole."""

    entries: tuple[Entry, ...]


class ChainBroken(ValueError):
    """Entries do not follow one another; `number` is the first that does not fit."""

    def __init__(self, number: int, detail: str) -> None:
        super().__init__(detail)
        self.number = number


def hash_of(entry: Entry) -> str:
    """Return the hash that an entry must have, in hexadecimal digits."""
    said = {one.name: to_data(getattr(entry, one.name)) for one in fields(entry) if one.name != "hash"}
    return hashlib.sha256(json.dumps(said, separators=(",", ":"), sort_keys=False).encode()).hexdigest()


def appended(head: ChainHead, entry: Entry) -> Entry:
    """Return `entry` as the one after `head`: numbered, linked and hashed; too long words are cut."""
    fitted = replace(
        entry,
        number=head.count + 1,
        before=head.hash,
        action=entry.action[:ACTION_LIMIT],
        detail=entry.detail[:DETAIL_LIMIT],
        hash="",
    )
    return replace(fitted, hash=hash_of(fitted))


def followed(head: ChainHead, entries: Iterable[Entry]) -> ChainHead:
    """Return the head after `entries` that follow `head`; raise ChainBroken."""
    for entry in entries:
        if entry.number != head.count + 1:
            raise ChainBroken(head.count + 1, f"entry {entry.number} comes after entry {head.count}")
        if entry.before != head.hash:
            raise ChainBroken(
                entry.number, f"entry {entry.number} does not name the hash of the one before it"
            )
        if entry.hash != hash_of(entry):
            raise ChainBroken(entry.number, f"entry {entry.number} was changed: it does not have its hash")
        head = ChainHead(count=entry.number, hash=entry.hash)
    return head
