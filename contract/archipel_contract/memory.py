"""How a program that runs for years keeps its memory small, whatever a busy hour needed.

Called by agent and controller, each of which decides when. glibc keeps freed memory for itself unless it is asked, and gives
each thread a heap of its own that the others do not use (malloc_trim(3), mallopt(3)); other C libraries have no such calls,
and nothing happens.
"""

import ctypes
import gc
import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
M_ARENA_MAX = -8  # malloc.h


def share_heap() -> None:
    """Have threads started from now on share the heap of the first one. To be called before there are any."""
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(M_ARENA_MAX, 1)


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
