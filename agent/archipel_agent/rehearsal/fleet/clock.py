"""The clocks of a rehearsed machine: a past gone through at once, then the present, and a wall clock that can lie."""

from datetime import UTC, datetime, timedelta

from archipel_agent.ports import Clock

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

# By the wall clock the past was only just now: no machine can have been set up before this version was released.
SETUP = timedelta(minutes=10)


class MachineClock:
    """Implements the Clock port for one machine.

    Until `arrive` the machine lives in its past, where a wait is over at once; from then on its time is that of `base`, and
    it has been up for `age_seconds`.
    """

    def __init__(self, base: Clock, age_seconds: float) -> None:
        """Begin in the past."""
        self._base = base
        self._age = age_seconds
        self._lived: float | None = 0.0  # seconds gone through in the past; None in the present
        self._arrived = 0.0
        self._offset = timedelta()
        self._drift = 0.0  # seconds a second
        self._drifts_since = 0.0

    def arrive(self) -> None:
        """Come to the present."""
        self._lived = None
        self._arrived = self._base.monotonic()

    def now(self) -> datetime:
        """See ports.Clock: what this machine believes."""
        if self._lived is not None:
            return self._base.now() - SETUP + timedelta(seconds=self._lived)
        drifted = timedelta(seconds=self._drift * (self._base.monotonic() - self._drifts_since))
        try:
            return min(max(self._base.now() + self._offset + drifted, EARLIEST), LATEST)
        except OverflowError:
            return EARLIEST if self._offset < timedelta() else LATEST

    def monotonic(self) -> float:
        """See ports.Clock: seconds since the machine's past began."""
        if self._lived is not None:
            return self._lived
        return self._age + self._base.monotonic() - self._arrived

    def wait(self, seconds: float) -> None:
        """See ports.Clock."""
        if self._lived is not None:
            self._lived += seconds
        else:
            self._base.wait(seconds)

    def go_wrong(self, offset: timedelta, drift: float = 0.0) -> None:
        """Be off by `offset` from now on, and by `drift` seconds more with each second."""
        self._offset, self._drift = offset, drift
        self._drifts_since = self._base.monotonic()

    def put_right(self, at: datetime) -> None:
        """Show `at` from now on, as somebody who set the clock by hand wants it."""
        self.go_wrong(at - self._base.now())

    def go_right(self) -> None:
        """Show the true time again."""
        self.go_wrong(timedelta())

    @property
    def is_right(self) -> bool:
        """Whether it shows the true time."""
        return self._offset == timedelta() and not self._drift
