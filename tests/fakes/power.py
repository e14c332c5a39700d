"""The power supply of a simulated machine, which can be told to fail at the n-th instant that matters.

Everything treacherous (disk, database, the commands of a job) names its instants here. Once the power is gone,
whatever the dying program still tries fails as well, so that no `finally` can tidy up after the cut.
"""

from collections.abc import Callable


class PowerCut(BaseException):
    """The power went. Not an Exception: no program may catch it, as none could on a real machine."""


def _nothing() -> None:
    """Whatever was under way left no trace."""


class Power:
    """Counts instants and cuts the power at one of them."""

    def __init__(self) -> None:
        self.count = 0
        self.is_on = True
        self.labels: list[str] = []
        self.remembers = False  # keep the label of every instant, to explain a failure
        self._cut_at: int | None = None
        self._survivors: list[Callable[[], None]] = []

    def crash_at(self, number: int | None) -> None:
        """Cut the power at the `number`-th instant from now on (1 is the next); None lets it be."""
        self.count = 0
        self.labels.clear()
        self._cut_at = number

    def point(self, label: str, survives: Callable[[], None] = _nothing) -> None:
        """Name an instant; if the power goes here, `survives` is what the cut leaves of the work under way."""
        self.check()
        self.count += 1
        if self.remembers:
            self.labels.append(label)
        if self.count == self._cut_at:
            self._survivors.append(survives)
            self.cut()
            raise PowerCut(f"at instant {self.count}: {label}")

    def cut(self) -> None:
        """Take the power away now; the next instant anybody reaches raises PowerCut."""
        self.is_on = False

    def check(self) -> None:
        """Raise PowerCut when the power is gone."""
        if not self.is_on:
            raise PowerCut("the power is gone")

    def back(self) -> None:
        """Give the power back: what survived is brought about, then the count starts anew without a cut."""
        for survives in self._survivors:
            survives()
        self._survivors.clear()
        self.is_on = True
        self.crash_at(None)
