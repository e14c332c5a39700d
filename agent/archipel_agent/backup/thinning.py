"""Which backups may go, by their sequence alone: a clock that jumps by ten years deletes nothing. Pure."""

import re
from collections.abc import Iterable

KEEP = re.compile(r"(?P<newest>[1-9]\d{0,3})(?:\+(?P<older>\d{1,3}))?")
EVERY = 7  # of the older ones each seventh is kept: one a week, where there is one a day


def doomed(sequences: Iterable[int], keep: str) -> frozenset[int]:
    """Return the sequences to delete: all but the newest N and, with `N+M`, M older ones that 7 divides.

    Raises ValueError where `keep` is not of that form.
    """
    found = KEEP.fullmatch(keep)
    if found is None:
        raise ValueError(f"{keep!r} is not of the form 7 or 7+8")
    ordered = sorted(set(sequences), reverse=True)
    older = ordered[int(found["newest"]) :]
    sparse = [one for one in older if one % EVERY == 0][: int(found["older"] or 0)]
    return frozenset(older) - frozenset(sparse)
