"""A pytest run inside the test, with all guards loaded, to show what they fail and what they let pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import conftest as top

REPOSITORY = Path(__file__).resolve().parents[2]
# Plugins that no guard has to do with; loading them is three quarters of what such a run costs.
UNUSED = ("cacheprovider", "schemathesis", "hypothesispytest", "anyio", "platformdirs")
INI = f"""
[pytest]
pythonpath = {REPOSITORY} {REPOSITORY}/tests/guards
addopts = --import-mode=importlib {" ".join(f"-p no:{name}" for name in UNUSED)}
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
timeout = 20
markers =
    real_process: x
    own_network: x
"""

Guarded = Callable[..., pytest.RunResult]


@pytest.fixture
def guarded(pytester: pytest.Pytester) -> Guarded:
    """Run a source as a test file under the guards; in a process of its own, as their hooks stay for good."""
    guards = [name for name in top.pytest_plugins if name.startswith("tests.guards.")]
    pytester.makeconftest(f"pytest_plugins = {guards!r}")
    pytester.makefile(".ini", pytest=INI)

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess(*arguments)

    return run
