"""The fixtures that give a test real brokers: `broker`, once for each kind, and `mosquitto` or `nats` where one will do.

Loaded for all tests by the conftest at the top. A kind whose program is missing is skipped, with that reason.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.brokers.proxy import FaultProxy
from tests.brokers.servers import BROKERS, MosquittoBroker, NatsBroker, RealBroker


def _running(kind: type[RealBroker], directory: Path) -> Generator[RealBroker, None, None]:
    if missing := kind.missing():
        pytest.skip(missing)
    one = kind(directory)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture(params=BROKERS, ids=lambda kind: kind.name)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[RealBroker, None, None]:
    """A running broker of each kind, fresh for each test."""
    yield from _running(request.param, tmp_path)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Generator[RealBroker, None, None]:
    """A running mosquitto."""
    yield from _running(MosquittoBroker, tmp_path)


@pytest.fixture
def nats(tmp_path: Path) -> Generator[RealBroker, None, None]:
    """A running nats-server."""
    yield from _running(NatsBroker, tmp_path)


@pytest.fixture
def faults(broker: RealBroker) -> Generator[FaultProxy, None, None]:
    """A network that can be made bad, in front of `broker`."""
    with FaultProxy(broker.port) as proxy:
        yield proxy
