"""Stories: modules with `STORY = True` are read from top to bottom; once a part has failed, the rest is skipped and says so.

A test directory takes part by importing the two hooks into its conftest.
"""

from collections.abc import Generator

import pytest

_BROKEN: pytest.StashKey[str] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember where a story broke."""
    report = yield
    story = item.getparent(pytest.Module)
    if report.failed and story is not None and _BROKEN not in story.stash:
        story.stash[_BROKEN] = item.name
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what would tell the consequences of a part that failed."""
    story = item.getparent(pytest.Module)
    if story is not None and getattr(story.obj, "STORY", False) and _BROKEN in story.stash:
        pytest.skip(f"an earlier part of the story failed: {story.stash[_BROKEN]}")
