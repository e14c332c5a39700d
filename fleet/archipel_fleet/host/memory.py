"""Gives memory back that was freed: a morning on which a thousand devices enrol must not stay resident for months.

Called by the controller once a minute. glibc keeps freed memory for itself unless it is asked (malloc_trim(3)); other C
libraries have no such call, and nothing happens.
"""

import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
GROWN_BYTES = 4 << 20  # less is not worth the milliseconds that giving back takes
TIDY_SECONDS = 60.0


def give_back() -> None:
    """Collect garbage and hand free pages back to the kernel; some ten milliseconds."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident() -> int:
    """Return how many bytes are resident now; 0 where the kernel does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


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
