"""When the controller gives memory back: a morning on which a thousand devices enrol must not stay resident for months.

Called by `serve` once a minute.
"""

from collections.abc import Callable

from archipel_contract.memory import give_back, resident

GROWN_BYTES = 4 << 20  # less is not worth the milliseconds that giving back takes
TIDY_SECONDS = 60.0


class Tidying:
    """Gives memory back where much has come since the last time."""

    def __init__(
        self, give_back: Callable[[], None] = give_back, resident: Callable[[], int] = resident
    ) -> None:
        self._give_back, self._resident = give_back, resident
        self._bytes = 0

    def look(self) -> bool:
        """Give memory back if it is worth that; return whether it was."""
        if self._resident() < self._bytes + GROWN_BYTES:
            return False
        self._give_back()
        self._bytes = self._resident()
        return True
