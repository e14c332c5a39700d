"""Hosts for end-to-end tests: one for a whole module, because a story takes place on one machine.

Many are stories (`tests.stories`).
"""

from collections.abc import Iterator

import pytest

from tests.hosts import requirements
from tests.hosts.booted import BootedHost
from tests.hosts.fixtures import clean_ground, skip_without
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost
from tests.stories import pytest_runtest_makereport, pytest_runtest_setup

__all__ = ["clean_ground", "pytest_runtest_makereport", "pytest_runtest_setup"]


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
