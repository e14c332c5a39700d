"""What an acceptance report consists of: figures with method, bound and verdict, and the rounds of the power-cut loop.

Pure. A figure that was not measured is never good: its verdict then says that it was not measurable here, and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SCHEMA = 1


class Verdict(StrEnum):
    """What a figure says about the machine."""

    PASS = "pass"
    FAIL = "fail"
    TOLD = "told"  # measured, and the product has no bound for it
    NOT_MEASURABLE = "not-measurable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured thing."""

    name: str
    title: str
    value: float | None = None
    unit: str = ""
    method: str = ""
    bound: str = ""  # in words, empty where the product has none
    verdict: Verdict = Verdict.UNKNOWN
    said: str = ""  # what else was seen, or why it could not be measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one power cut came to."""

    number: int
    written: int  # the highest marker found after the cut
    seen: int | None  # the last one the operator saw acknowledged, None where nobody said
    seconds_to_ready: float | None
    verdict: Verdict
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was found on one machine, at one time."""

    made_at: str
    node_id: str
    hostname: str
    model: str
    serial: str
    kernel: str
    architecture: str
    agent_version: str
    clock: str  # how far `made_at` can be trusted
    quick: bool
    figures: tuple[Figure, ...]
    rounds: tuple[Round, ...] = ()
    schema: int = SCHEMA

    @property
    def verdict(self) -> Verdict:
        """The whole: one failure fails it; something that was not measurable keeps it from passing."""
        every = [*(one.verdict for one in self.figures), *(one.verdict for one in self.rounds)]
        if Verdict.FAIL in every:
            return Verdict.FAIL
        open_ones = {Verdict.NOT_MEASURABLE, Verdict.UNKNOWN} & set(every)
        return Verdict.NOT_MEASURABLE if open_ones or not every else Verdict.PASS


def at_most(value: float, bound: float) -> Verdict:
    """Return whether a value keeps within a bound from above."""
    return Verdict.PASS if value <= bound else Verdict.FAIL


def at_least(value: float, bound: float) -> Verdict:
    """Return whether a value reaches a bound."""
    return Verdict.PASS if value >= bound else Verdict.FAIL


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of all do not exceed, by nearest rank; `values` must not be empty."""
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)  # rounded up
    return ordered[min(len(ordered), max(1, rank)) - 1]
