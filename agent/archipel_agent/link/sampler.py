"""Sampler: makes one metrics point out of the samples of many turns. Pure; called by the engine with each new report.

A point is the mean of what could be read since the point before it, in the columns of `messages.METRIC_NAMES`. When a
point is due is decided by a clock that only grows; the wall clock only dates it.
"""

from archipel_contract.facts import NodeUsage
from archipel_contract.link.messages import METRIC_NAMES, Metrics
from archipel_contract.status import Report

MIB = 1 << 20
DIGITS = {"cpu_percent": 1, "load_1m": 2, "memory_used_mib": 0, "disk_used_mib": 0, "temperature_c": 1}


class Sampler:
    """Collects the samples of one node."""

    def __init__(self, every: float) -> None:
        """Make a point every `every` seconds."""
        self._every = every
        self._due: float | None = None
        self._samples: list[tuple[float | None, ...]] = []

    def note(self, report: Report, at_ms: int, monotonic: float) -> Metrics | None:
        """Take the sample in `report`; return a point (one, at its `start`) when one is due, else None.

        `at_ms` is the wall clock in milliseconds since 1970, `monotonic` seconds that only grow.
        """
        self._samples.append(values(report.node.usage))
        if self._due is None:
            self._due = monotonic + self._every
        if monotonic < self._due:
            return None
        self._due += self._every
        if self._due <= monotonic:  # the machine slept: no points for that time, and none in a burst
            self._due = monotonic + self._every
        columns = zip(*self._samples, strict=True)
        point = tuple(_mean(name, column) for name, column in zip(METRIC_NAMES, columns, strict=True))
        self._samples.clear()
        return Metrics(start=at_ms, points=((0, *point),))


def values(usage: NodeUsage) -> tuple[float | None, ...]:
    """Return one sample in the columns of METRIC_NAMES; None for what could not be read."""
    known = {
        "cpu_percent": usage.cpu_percent,
        "load_1m": usage.load_1m,
        "memory_used_mib": _mib(usage.memory_used_bytes),
        "disk_used_mib": _mib(usage.disk_used_bytes),
        "temperature_c": usage.temperature_c,
    }
    return tuple(known[name] for name in METRIC_NAMES)


def joined(points: tuple[Metrics, ...]) -> Metrics:
    """Return several metrics as one, in the order given; raise ValueError for none.

    Their times are kept relative to the first's start, so an hour of points is one message instead of twelve.
    """
    if not points:
        raise ValueError("there are no points to join")
    start = points[0].start
    rows = tuple((_seconds(one.start - start, row[0]), *row[1:]) for one in points for row in one.points)
    return Metrics(start=start, points=rows)


def _seconds(offset_ms: int, within: float | None) -> float:
    return round(offset_ms / 1000 + (within or 0))


def _mib(count: int | None) -> float | None:
    return None if count is None else count / MIB


def _mean(name: str, column: tuple[float | None, ...]) -> float | None:
    known = [one for one in column if one is not None]
    if not known:
        return None
    mean = round(sum(known) / len(known), DIGITS[name])
    return int(mean) if DIGITS[name] == 0 else mean
