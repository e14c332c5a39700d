"""Rings when something is to be said to a node: whoever orders rings from any thread, the ingest listens in its own."""

import threading
from collections.abc import Callable, Iterable


def _nobody() -> None:
    """Nobody is to be woken."""


class Bell:
    """The ids of nodes to which something is to be said."""

    def __init__(self) -> None:
        """Nobody is woken until `listen`."""
        self._lock = threading.Lock()
        self._rung: set[str] = set()
        self._wake: Callable[[], None] = _nobody

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called at each ring; it may be called from any thread."""
        self._wake = wake

    def ring(self, node_ids: Iterable[str]) -> None:
        """Something is to be said to these nodes."""
        with self._lock:
            self._rung.update(node_ids)
        self._wake()

    def take(self) -> frozenset[str]:
        """Return the nodes since the last call."""
        with self._lock:
            rung, self._rung = frozenset(self._rung), set()
        return rung
