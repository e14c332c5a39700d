"""The interpreter's own audit events, handed to the guards that asked for them.

Audit hooks see every way into the operating system, whatever module it was called from, and can refuse the
act by raising. They cannot be removed again, therefore one hook is installed once and looks into a table.
Guards register with `on`; they are only asked while a test is under way.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.guards.violations import running_test

Watcher = Callable[[str, tuple[Any, ...]], None]

_watchers: dict[str, Watcher] = {}


def on(events: tuple[str, ...], watcher: Watcher) -> None:
    """Have `watcher(event, arguments)` called before each of these events; what it raises refuses the act.

    Event names are those of the table in the Python documentation (library/audit_events).
    """
    if not _watchers:
        sys.addaudithook(_dispatch)
    for event in events:
        _watchers[event] = watcher


def called_through(doors: tuple[str, ...]) -> bool:
    """Whether a function of one of these files (given as path endings) is among the callers."""
    frame: FrameType | None = sys._getframe(1)  # walks the stack without building it first
    while frame is not None:
        if frame.f_code.co_filename.endswith(doors):
            return True
        frame = frame.f_back
    return False


def _dispatch(event: str, arguments: tuple[Any, ...]) -> None:
    watcher = _watchers.get(event)
    if watcher is not None and running_test() is not None:
        watcher(event, arguments)
