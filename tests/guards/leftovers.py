"""What a test leaves running is a failure: asyncio tasks, threads, child processes, strays.

Tasks: whatever `asyncio.Runner` (so `asyncio.run` as well) finds still pending when it closes; it would
cancel them in silence. Threads and children: those that were not there before the test, after a short grace.
Strays: processes that started during the test and work in the session's temporary directory; looked for after
tests that started a process at all.
"""

import asyncio
import asyncio.runners
import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.guards.processes import STARTED
from tests.guards.violations import report, running_test

# Long enough for a thread that is on its way out on a busy machine of two cores.
GRACE_SECONDS = 2.0

_cancel_all_tasks = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined] # see _report_tasks


def _report_tasks(loop: asyncio.AbstractEventLoop) -> None:
    # There is no public hook between "the main coroutine ended" and "the rest is cancelled".
    if running_test() is not None:
        for task in asyncio.all_tasks(loop):
            if not task.cancelling():
                report(f"an asyncio task was left running: {task.get_name()} {task.get_coro()!r}")
    _cancel_all_tasks(loop)


def children() -> dict[int, str]:
    """Direct children of this process, dead ones too: pid -> command line, or the state for a zombie."""
    found: dict[int, str] = {}
    for listing in Path("/proc/self/task").glob("*/children"):
        for word in _read(listing).split():
            found[int(word)] = describe(int(word))
    return found


def describe(pid: int) -> str:
    """Command line of a process, or `NAME (zombie)`; empty when it is gone."""
    line = _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()
    return line or (_read(Path(f"/proc/{pid}/comm")).strip() + " (zombie)").removeprefix(" (zombie)")


def strays(under: Path, since: float) -> dict[int, str]:
    """Processes younger than `since` (clock ticks after boot) that work in or name a path below `under`."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        if started_at(int(entry.name)) < since:
            continue
        try:
            place = os.readlink(entry / "cwd")
        except OSError:
            place = ""
        line = describe(int(entry.name))
        if place.startswith(str(under)) or str(under) in line:
            found[int(entry.name)] = line
    return found


def started_at(pid: int) -> float:
    """Start of a process in clock ticks after boot (field 22 of proc_pid_stat(5)); 0 when it is gone."""
    words = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return float(words[19]) if len(words) > 19 else 0.0


def _ticks_after_boot() -> float:
    # The kernel counts a process's start in whole ticks; one less, so that what starts at once is not older
    # than this.
    return float(_read(Path("/proc/uptime")).split()[0]) * os.sysconf("SC_CLK_TCK") - 1


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _await_empty(look: Callable[[], dict[int, str]]) -> dict[int, str]:
    """What `look` still finds once the grace is over; returns at once when it finds nothing."""
    give_up = time.monotonic() + GRACE_SECONDS
    while (found := look()) and time.monotonic() < give_up:
        time.sleep(0.02)
    return found


def _threads() -> dict[int, str]:
    return {thread.ident: thread.name for thread in threading.enumerate() if thread.ident is not None}


@pytest.fixture(scope="session", autouse=True)
def session_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this session keeps its temporary files; the tests' own directories lie below it."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(autouse=True)
def nothing_is_left_running(
    request: pytest.FixtureRequest, session_directory: Path
) -> Generator[None, None, None]:
    """Compare threads and processes before and after; a fixture set up earlier may keep what it started."""
    begun = _ticks_after_boot()
    threads_before, children_before = set(_threads()), set(children())
    yield
    for name in _await_empty(lambda: _without(_threads(), threads_before)).values():
        report(f"a thread was left running: {name}")
    for pid, line in _await_empty(lambda: _without(children(), children_before)).items():
        report(f"a child process was left behind: {pid} {line}")
    if STARTED in request.node.stash:
        for pid, line in _await_empty(lambda: strays(session_directory, begun)).items():
            report(f"a process outlived the test: {pid} {line}")


def _without(found: dict[int, str], before: set[int]) -> dict[int, str]:
    return {key: value for key, value in found.items() if key not in before}


def pytest_configure(config: pytest.Config) -> None:
    """Have every asyncio runner of this process report what it is about to cancel."""
    asyncio.runners._cancel_all_tasks = _report_tasks  # type: ignore[attr-defined] # see there
    config.add_cleanup(_restore)


def _restore() -> None:
    asyncio.runners._cancel_all_tasks = _cancel_all_tasks  # type: ignore[attr-defined] # see above
