"""Gives memory back that was freed: what a start, a job or an enrolment needed once must not stay resident for years.

Called by the daemon. glibc keeps freed memory for itself unless it is asked (malloc_trim(3)); other C libraries have no such
call, and nothing happens.
"""

import ctypes
import gc


def give_back() -> None:
    """Collect garbage and hand free pages back to the kernel; a few milliseconds."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
