"""Hosts for end-to-end tests: one for a whole module, because a story takes place on one machine.

A module with `STORY = True` is read from top to bottom; once a part has failed, the rest is skipped and says so.
"""

from collections.abc import Generator, Iterator

import pytest

from tests.hosts import requirements
from tests.hosts.booted import BootedHost
from tests.hosts.fixtures import clean_ground, skip_without
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost

__all__ = ["clean_ground"]

_BROKEN: pytest.StashKey[str] = pytest.StashKey()


@pytest.fixture(scope="module")
def lab(clean_ground: None) -> Iterator[Lab]:
    """A network for the hosts of one module."""
    skip_without(requirements.missing_for_plain())
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def booted(lab: Lab) -> Iterator[BootedHost]:
    """A bare Debian host, up under systemd, with a stock k3s on its PATH and image archives on its disk."""
    skip_without(requirements.missing_for_booted())
    skip_without(requirements.missing_for_k3s())
    with BootedHost("edge", lab) as host:
        host.offer_k3s()
        host.offer_images()
        host.allow()
        yield host


@pytest.fixture(scope="module")
def plain(lab: Lab) -> Iterator[PlainHost]:
    """A light host without systemd, with the same things on its disk."""
    skip_without(requirements.missing_for_k3s())
    with PlainHost("light", lab) as host:
        host.offer_k3s()
        host.offer_images()
        host.allow()
        yield host


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
