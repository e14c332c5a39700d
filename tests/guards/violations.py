"""Where the guards write down what they saw, so that swallowing their error does not help.

The guards call `report`; the hooks here turn what was reported into a failure of the test that was running.
This module forbids nothing itself.
"""

from collections.abc import Generator

import pytest

_reported: list[str] = []
_running: list[pytest.Item] = []


class GuardError(BaseException):
    """Raised at the place of the wrong act.

    Derives from BaseException, so that a task boundary in the code under test (`except Exception`) does not
    take it for one of its own errors and carries on.
    """


def running_test() -> pytest.Item | None:
    """The test whose set-up, call or tear-down is under way; None while pytest itself is at work."""
    return _running[-1] if _running else None


def report(sentence: str) -> None:
    """Have the running test fail with this sentence when it ends."""
    if sentence not in _reported:
        _reported.append(sentence)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember which test runs."""
    _running.append(item)
    _reported.clear()
    try:
        return (yield)
    finally:
        _running.pop()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """After everything else was torn down: fail if a guard reported anything."""
    yield
    if _reported:
        sentences = "\n".join(_reported)
        _reported.clear()
        pytest.fail(sentences, pytrace=False)
