"""A published figure: the values measured, the bound they are held to, and how both are shown.

Made by the modules of this package, shown by `__main__`. Pure: it measures nothing.
"""

import statistics
from dataclasses import asdict, dataclass


class Skipped(Exception):
    """The figure cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured. The median of `values` is held to `bound`, both in `unit`."""

    name: str
    title: str
    unit: str
    values: tuple[float, ...]
    bound: float
    method: str
    is_strict: bool = False  # whether the median must stay below the bound, or may reach it
    is_least: bool = False  # whether the bound is the least that must be reached, not the most that may be
    details: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a figure without values: nothing measured is not a pass."""
        if not self.values:
            raise ValueError(f"{self.name}: nothing was measured")

    @property
    def median(self) -> float:
        """The figure itself."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float, float]:
        """Smallest, middle and largest value."""
        return min(self.values), self.median, max(self.values)

    @property
    def passes(self) -> bool:
        """Whether the bound holds."""
        if self.is_least:
            return self.median >= self.bound
        return self.median < self.bound if self.is_strict else self.median <= self.bound

    def text(self) -> str:
        """Return the figure for people."""
        low, middle, high = self.spread
        sign = ">=" if self.is_least else "<" if self.is_strict else "<="
        verdict = "PASS" if self.passes else "FAIL"
        count = f"{len(self.values)} values" if len(self.values) > 1 else "one value"
        lines = [
            f"{verdict}  {self.title}: {number(middle)} {self.unit}   (bound: {sign} {number(self.bound)} {self.unit})",
            f"      spread   min {number(low)}, median {number(middle)}, max {number(high)} ({count})",
            f"      method   {self.method}",
        ]
        return "\n".join([*lines, *(f"      also     {line}" for line in self.details)])

    def data(self) -> dict[str, object]:
        """Return the figure as JSON data."""
        low, middle, high = self.spread
        shown = {"min": low, "median": middle, "max": high, "passes": self.passes}
        return {**asdict(self), **shown}


def number(value: float) -> str:
    """Return a value with three significant digits, but never fewer than its whole part has."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{digits}f}"


def per_day(amount: float, seconds: float) -> float:
    """Return what an amount seen in a window of `seconds` comes to in a day."""
    return amount * 86_400 / seconds


def percent_of_core(nanoseconds: float, seconds: float) -> float:
    """Return CPU time in a window as percent of one core."""
    return nanoseconds / 1e9 / seconds * 100


def up_bound(by_hand_seconds: float) -> float:
    """Return how much longer `up` may take than a start by hand: 2 s or 5 %, whichever is larger."""
    return max(2.0, 0.05 * by_hand_seconds)


def differences(pairs: list[tuple[float, float]]) -> tuple[float, ...]:
    """Return how much longer the first of each pair took than the second."""
    return tuple(first - second for first, second in pairs)
