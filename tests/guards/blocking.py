"""A call of ours that blocks the event loop is a failure: sleeping, disk, locks, blocking sockets, SQLite.

blockbuster finds the calls; only those made from the four packages count, so that a test may read a file
where it stands. Reading /proc and /sys is let pass: the kernel answers from memory. Active for the whole
session, since replacing methods of built-in types again and again is neither quick nor safe.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from blockbuster import BlockBuster, BlockBusterFunction
from blockbuster import blockbuster as implementation

from tests.guards.violations import report

PACKAGES = ["archipel_contract", "archipel_agent", "archipel_fleet", "archipel_tui"]
FROM_MEMORY = ("/proc/", "/sys/")


class RecordedBlockingError(implementation.BlockingError):
    """blockbuster's error, which also fails the test when the code under test catches it."""

    def __init__(self, func: str) -> None:
        super().__init__(func)
        report(f"the event loop was blocked by {func}")


def answered_from_memory(target: object) -> bool:
    """Whether this path, open file or file descriptor lies in /proc or /sys."""
    # A Path has a `name` too, but it is only the last part.
    name = target if isinstance(target, os.PathLike) else getattr(target, "name", target)
    if isinstance(name, int) and not isinstance(name, bool):
        try:
            name = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            return False
    if isinstance(name, (str, os.PathLike)):
        return (os.fspath(name) + "/").startswith(FROM_MEMORY)
    return False


def _let_pass_memory(function: BlockBusterFunction) -> None:
    original: Callable[..., bool] = function.can_block_predicate

    def may_block(*arguments: Any, **named: Any) -> bool:
        return original(*arguments, **named) or (bool(arguments) and answered_from_memory(arguments[0]))

    function.can_block_predicate = may_block


def pytest_configure(config: pytest.Config) -> None:
    """Watch from here to the end of the session."""
    implementation.BlockingError = RecordedBlockingError  # type: ignore[misc] # the name its wrappers look up
    buster = BlockBuster(PACKAGES)
    for name, function in buster.functions.items():
        if name.startswith(("os.", "io.")):
            _let_pass_memory(function)
            # FastAPI looks up where each route stands in the source, once, when it is first asked for.
            function.can_block_in("fastapi/routing.py", "_extract_endpoint_context")
    buster.activate()
    config.add_cleanup(buster.deactivate)
