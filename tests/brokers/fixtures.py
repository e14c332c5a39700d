"""The fixtures that give a test real brokers: `broker`, once for each kind, and `mosquitto` or `nats` where one will do;
`guarded` and the like for brokers that ask for certificates.

Loaded for all tests by the conftest at the top. A kind whose program is missing is skipped, with that reason.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.brokers.guarded import GUARDED, GuardedBroker, GuardedMosquitto, GuardedNats, Pki
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


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A fleet's CA and a stranger's, and the certificates they issue."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=GUARDED, ids=lambda kind: kind.name, scope="module")
def guarded(
    request: pytest.FixtureRequest, pki: Pki, tmp_path_factory: pytest.TempPathFactory
) -> Generator[GuardedBroker, None, None]:
    """A running broker of each kind that asks for certificates; one for all tests of a module."""
    yield from _standing(request.param, pki, tmp_path_factory.mktemp("guarded"))


@pytest.fixture(params=GUARDED, ids=lambda kind: kind.name)
def own_guarded(
    request: pytest.FixtureRequest, pki: Pki, tmp_path: Path
) -> Generator[GuardedBroker, None, None]:
    """The same for one test alone, which may change who comes in."""
    yield from _standing(request.param, pki, tmp_path)


@pytest.fixture
def guarded_mosquitto(pki: Pki, tmp_path: Path) -> Generator[GuardedMosquitto, None, None]:
    """A mosquitto that asks for certificates, without a WebSocket."""
    if missing := GuardedMosquitto.missing():
        pytest.skip(missing)
    with GuardedMosquitto(tmp_path, pki, websocket=False) as broker:
        yield broker


@pytest.fixture
def guarded_nats(pki: Pki, tmp_path: Path) -> Generator[GuardedNats, None, None]:
    """A nats-server that asks for certificates."""
    if missing := GuardedNats.missing():
        pytest.skip(missing)
    with GuardedNats(tmp_path, pki) as broker:
        yield broker


def _standing(kind: type[GuardedBroker], pki: Pki, directory: Path) -> Generator[GuardedBroker, None, None]:
    if missing := kind.missing():
        pytest.skip(missing)
    with kind(directory, pki) as broker:
        yield broker
