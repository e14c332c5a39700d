"""The port to randomness, implemented by `host/clock.py`; a rehearsal and a test have one that can be played again."""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """Randomness for names, tokens and jitter."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        ...
