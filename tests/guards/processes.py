"""A process started outside the one door is a failure.

Allowed: through the doors of agent and controller (`host/run.py`, `host/process.py`), through those of the
test hosts (`tests/hosts/shell.py`) and test brokers (`tests/brokers/servers.py`), and from tests marked
`real_process`. Which processes are left over afterwards is the business of `tests.guards.leftovers`.
"""

from typing import Any

import pytest

from tests.guards import audit
from tests.guards.violations import GuardError, report, running_test

DOORS = (
    "/archipel_agent/host/run.py",
    "/archipel_fleet/host/process.py",
    "/tests/hosts/shell.py",
    "/tests/brokers/servers.py",
)
EVENTS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system", "pty.spawn")

# Set on a test that started a process, by whatever door.
STARTED: pytest.StashKey[bool] = pytest.StashKey()


def refuse_outside_the_door(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise GuardError for a process that did not come through a door."""
    test = running_test()
    if test is None:
        return
    test.stash[STARTED] = True
    if test.get_closest_marker("real_process") or audit.called_through(DOORS):
        return
    what = f"{event}{list(arguments[:2]) if arguments else ''}"
    sentence = f"a process was started outside the one door: {what}. Mark the test real_process if it must."
    report(sentence)
    raise GuardError(sentence)


audit.on(EVENTS, refuse_outside_the_door)
