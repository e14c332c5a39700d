"""pytest fixtures for hosts, skipped with the reason where a machine cannot make them.

A test directory takes them by importing the names into its conftest. Hosts are fresh for each test, which
costs about a second (booted) or a third of one (plain).
"""

from collections.abc import Callable, Iterator

import pytest

from tests.hosts import clean, requirements
from tests.hosts.booted import BootedHost
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.plain import PlainHost

_REASON = "test ground: "


def skip_without(missing: str | None) -> None:
    """Skip the running test with this reason, if there is one."""
    if missing:
        pytest.skip(_REASON + missing)


@pytest.fixture(scope="session")
def clean_ground() -> None:
    """What earlier runs left behind is gone."""
    clean.clean()


@pytest.fixture
def lab(clean_ground: None) -> Iterator[Lab]:
    """A network for the hosts of one test."""
    skip_without(requirements.missing_for_plain())
    with Lab() as made:
        yield made


@pytest.fixture
def booted_host(lab: Lab) -> Iterator[BootedHost]:
    """A fresh Debian host named `edge`, up under systemd."""
    skip_without(requirements.missing_for_booted())
    with BootedHost("edge", lab) as host:
        yield host


@pytest.fixture
def plain_host(lab: Lab) -> Iterator[PlainHost]:
    """A fresh light host named `light`, up, without systemd."""
    with PlainHost("light", lab) as host:
        yield host


@pytest.fixture
def real_k3s() -> None:
    """The test needs a real k3s and its image archives on this machine."""
    skip_without(requirements.missing_for_k3s())


@pytest.fixture
def allowances() -> Callable[[Host], list[str]]:
    """Gives a host the drop-ins that its kind needs for k3s, in the places where a site puts its own."""
    return lambda host: host.allow()
