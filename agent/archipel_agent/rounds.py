"""Rounds: what the daemon looks after between turns, part by part, so that a defect in one keeps no other from its turn.

Owned by `upkeep`, driven by `daemon`, read by the check `own_parts`. Decides nothing; each part does what is due by itself.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType

LOG = logging.getLogger(__name__)
PATIENCE = 3  # rounds in a row: what fails once may have met a disk that was full for a moment
REPEATED = (
    360  # rounds between two records of one and the same defect: an hour at rest, for the log's medium wears
)
Part = tuple[str, Callable[[], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A part that keeps failing, and where: `ValueError in link/core.py:88`. No message: it could hold a secret."""

    part: str
    problem: str


@dataclass(slots=True)
class _Trouble:
    """One part's, since it last worked."""

    problem: str = ""
    rounds: int = 0
    silent: int = 0  # rounds since it was last logged


class Rounds:
    """One agent's. Used from the thread of the turns."""

    def __init__(self) -> None:
        self._troubles: dict[str, _Trouble] = {}
        self._has_gone = False

    def go(self, parts: Iterable[Part]) -> None:
        """Have each part do what is due; next to nothing while nothing is. Never raises for what a part does."""
        self._has_gone = True
        for name, look in parts:
            try:
                look()
            except Exception as error:  # the task boundary of this part, as for a turn
                if self._is_news(name, error):
                    LOG.exception("looking after %s has a defect; the other parts go on", name)
            else:
                if self._troubles and self._troubles.pop(name, None) is not None:
                    LOG.info("looking after %s works again", name)

    def _is_news(self, name: str, error: Exception) -> bool:
        """Count it, and return whether it is to be logged."""
        trouble = self._troubles.setdefault(name, _Trouble())
        problem = f"{type(error).__name__} in {_place(error.__traceback__)}"
        trouble.rounds += 1
        trouble.silent += 1
        if problem == trouble.problem and trouble.silent < REPEATED:
            return False
        trouble.problem, trouble.silent = problem, 0
        return True

    def failing(self) -> tuple[Failing, ...] | None:
        """Return the parts that have failed several times in a row, by name; None before the first round."""
        if not self._troubles:
            return () if self._has_gone else None
        lasting = {name: one for name, one in self._troubles.items() if one.rounds >= PATIENCE}
        return tuple(Failing(part=name, problem=lasting[name].problem) for name in sorted(lasting))


def _place(trace: TracebackType | None) -> str:
    """Return where an error was raised, as file and line: the innermost place in this program, else the outermost."""
    place = "?"
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        _, ours, inside = file.rpartition("/archipel_")
        if ours or place == "?":
            place = f"{inside.partition('/')[2] or file.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
