"""Recorded output of a real k3s: log lines with the time each took to appear, and answers of the API.

Read by the simulated k3s. Pure but for reading package data. The logs are as k3s wrote them (trimmed of what tells
nothing); on emission only time stamps, node name and address are put in anew.
"""

import bisect
import functools
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

NODE, ADDRESS, VERSION = "edge", "10.199.0.11", "v1.36.3+k3s1"  # of the host they were recorded on

_LOGRUS = re.compile(r'time="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_KLOG = re.compile(r"^([IWEF])(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})")
_NODE_NAME = re.compile(rf"(?<![-\w./]){NODE}(?![-\w])")
_YEAR = 2026  # klog writes none


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity: there is one of each
class Recording:
    """One run of k3s: for each line the seconds after the start, and the line as written then."""

    offsets: tuple[float, ...]
    lines: tuple[str, ...]

    def seconds_until(self, text: str, otherwise: float) -> float:
        """Return when a line with `text` first appeared."""
        return _seconds_until(self, text, otherwise)

    def count_until(self, seconds: float) -> int:
        """Return how many lines had appeared by then."""
        return bisect.bisect_right(self.offsets, seconds)

    @property
    def seconds(self) -> float:
        """How long it took until the last line."""
        return self.offsets[-1] if self.offsets else 0.0


@functools.cache
def _seconds_until(recording: Recording, text: str, otherwise: float) -> float:
    found = (offset for offset, line in zip(recording.offsets, recording.lines, strict=True) if text in line)
    return next(found, otherwise)


@functools.cache
def log(name: str) -> Recording:
    """Return the recorded log `name`; raise FileNotFoundError if there is none."""
    text = resources.files(__package__).joinpath("recordings", f"{name}.log").read_text(encoding="utf-8")
    lines = tuple(text.splitlines())
    offsets: list[float] = []
    begin: datetime | None = None
    last = 0.0
    for line in lines:
        moment = _moment(line)
        if moment is not None:
            begin = begin or moment
            last = max(last, (moment - begin).total_seconds())
        offsets.append(last)
    return Recording(tuple(offsets), lines)


def _moment(line: str) -> datetime | None:
    match = _LOGRUS.search(line)
    if match:
        return datetime.fromisoformat(match[1])
    match = _KLOG.match(line)
    if match:
        month, day, hour, minute, second, micro = (int(text) for text in match.groups()[1:])
        return datetime(_YEAR, month, day, hour, minute, second, micro, tzinfo=UTC)
    return None


@functools.lru_cache(maxsize=32)
def emitted(name: str, began: datetime, pace: float, node: str, address: str) -> tuple[str, ...]:
    """Return the lines of a recording as a run that began then, here and so fast would write them."""
    recording = log(name)
    stamped = []
    for offset, line in zip(recording.offsets, recording.lines, strict=True):
        moment = began + timedelta(seconds=offset * pace)
        line = _LOGRUS.sub(f'time="{moment:%Y-%m-%dT%H:%M:%SZ}"', line)
        line = _KLOG.sub(lambda found, at=moment: f"{found[1]}{at:%m%d %H:%M:%S.%f}", line)  # type: ignore[misc]  # a default binds the loop's value
        stamped.append(here(line, node, address))
    return tuple(stamped)


def here(text: str, node: str, address: str) -> str:
    """Return recorded text with this node's name and address."""
    return _NODE_NAME.sub(node, text.replace(ADDRESS, address))


@functools.cache
def answer(name: str) -> str:
    """Return a recorded answer of the API as text."""
    return resources.files(__package__).joinpath("recordings", name).read_text(encoding="utf-8")


@functools.lru_cache(maxsize=64)
def items(name: str, node: str, address: str) -> tuple[dict[str, Any], ...]:
    """Return the items of a recorded list, with this node's name and address; they are shared, do not change them."""
    found: list[dict[str, Any]] = json.loads(here(answer(name), node, address))["items"]
    return tuple(found)
