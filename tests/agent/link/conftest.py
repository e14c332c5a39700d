"""Parts for the link's tests over real brokers."""

from collections.abc import Iterator

import pytest

from tests.agent.link.nodes import ListeningController
from tests.brokers.servers import RealBroker


@pytest.fixture
def listening(broker: RealBroker) -> Iterator[ListeningController]:
    """A controller behind the broker."""
    one = ListeningController(broker)
    one.start()
    yield one
    one.stop()
