"""Watches of the simulated API, and the resource versions they begin from.

A watch is computed when somebody reads it: what differs between the list as it was told last and as it is now. As with the
real one it ends with the k3s process, after its time, and with an error 410 for a version nobody remembers.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from archipel_agent.rehearsal.life import Run
from archipel_agent.rehearsal.world import SimulatedWorld

Items = dict[tuple[str, str], dict[str, Any]]
BOOKMARK_SECONDS = 60.0  # the API bookmarks an idle watch once a minute
GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "too old resource version",
    "reason": "Expired",
    "code": 410,
}


class Versions:
    """Numbers the states of every list; of each only the last is remembered."""

    def __init__(self) -> None:
        self._number = 1000
        self._last: dict[str, tuple[str, Items]] = {}

    def of(self, place: str, items: list[dict[str, Any]]) -> str:
        """Return the version of the list at `place`, which has these items now."""
        version, before = self._last.get(place, ("", None))
        now = keyed(items)
        if now != before:
            self._number += 1
            version = str(self._number)
            self._last[place] = (version, now)
        return version

    def items(self, place: str, version: str) -> Items | None:
        """Return the items a version stands for; None if it is forgotten."""
        known, items = self._last.get(place, ("", {}))
        return items if known == version else None


def keyed(items: list[dict[str, Any]]) -> Items:
    """Return items by namespace and name."""
    return {(one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in items}


class SimulatedWatch:
    """One watch."""

    def __init__(
        self,
        world: SimulatedWorld,
        versions: Versions,
        place: str,
        query: str,
        read: Callable[[], list[dict[str, Any]] | None],
    ) -> None:
        """Watch the list at `place`; `read` returns its items as they are now, None when the API does not serve."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        self._world = world
        self._versions = versions
        self._place = place
        self._read = read
        self._run: Run | None = world.life.run
        now = world.clock.monotonic()
        self._ends_at = now + float(asked.get("timeoutSeconds", "1800"))
        self._told_at = now
        self._told = versions.items(place, asked.get("resourceVersion", ""))
        self._is_over = False

    def is_quiet(self) -> bool:
        """See ports.KubeWatch."""
        return False

    def arrived(self) -> tuple[bytes, ...] | None:
        """See ports.KubeWatch."""
        with self._world.lock:
            self._world.settle()
            now = self._world.clock.monotonic()
            items = None if self._world.life.run is not self._run else self._read()
            if self._is_over or items is None or now >= self._ends_at:
                self._is_over = True
                return None
            if self._told is None:
                self._is_over = True
                return (_event("ERROR", GONE),)
            events = self._events(keyed(items), self._versions.of(self._place, items), now)
            if events:
                self._told_at = now
            return events

    def _events(self, now_there: Items, version: str, now: float) -> tuple[bytes, ...]:
        before = self._told or {}
        self._told = now_there
        gone = [_event("DELETED", item) for key, item in before.items() if key not in now_there]
        come = [_event("ADDED", item) for key, item in now_there.items() if key not in before]
        changed = [
            _event("MODIFIED", item)
            for key, item in now_there.items()
            if key in before and item != before[key]
        ]
        if not (gone or come or changed) and now - self._told_at >= BOOKMARK_SECONDS:
            return (_event("BOOKMARK", {"metadata": {"resourceVersion": version}}),)
        return (*gone, *come, *changed)

    def close(self) -> None:
        """See ports.KubeWatch."""
        self._is_over = True


def _event(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode()
