"""Whether a node that dials in keeps its line between two calls, learned from what became of earlier ones. Pure.

A handshake with certificates costs ten times what a call says, so the line is kept open in silence. Many ways (the address
translation of a mobile network above all) forget a silent line and say so to neither side. A call then finds it dead; after
a few in a row this way is taken for one that drops lines, and the node hangs up after its calls until it tries again. Used
by `calls`. Times are seconds of a clock that only grows; nothing is kept over a start of the agent.
"""

ROW = 3  # dead lines in a row until the way counts as one that drops them; each cost little more than hanging up
PAUSE_SECONDS = 86_400.0  # until a line is kept again, to see; doubles with each that is dead as well
LONGEST_PAUSE = 16 * 86_400.0


class Holding:
    """What is known of the way."""

    def __init__(self) -> None:
        """Nothing is known: lines are kept."""
        self._dead = 0
        self._pause = PAUSE_SECONDS
        self._until = float("-inf")

    def is_allowed(self, now: float) -> bool:
        """Whether a line is to be kept."""
        return now >= self._until

    def kept(self) -> None:
        """A call was answered on a line that had been silent: the way is good."""
        self._dead, self._pause = 0, PAUSE_SECONDS

    def dropped(self, now: float) -> None:
        """A line was dead, though whoever it leads to was there."""
        self._dead += 1
        if self._dead >= ROW:
            self._until, self._pause = now + self._pause, min(LONGEST_PAUSE, 2 * self._pause)
            self._dead = ROW - 1  # then a single one is enough
