"""Numbered events through kills (-9) of agent, broker and controller, and through a full disk: each arrives exactly once, or
a declared gap covers it and is true. Real outbox, real brokers, real controller.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.servers import BROKERS, MosquittoBroker, RealBroker
from tests.chaos import tide
from tests.chaos.tide import Measure, Tide

pytestmark = [
    pytest.mark.real_process,
    pytest.mark.broker,
    pytest.mark.skipif(not tide.is_allowed(), reason="a small disk can be mounted by root only"),
]


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of 64 MB, or as many as the test says."""
    place = tmp_path / "disk"
    tide.small_disk(place, getattr(request, "param", 64))
    yield place
    tide.remove_disk(place)


def check(directory: Path, disk: Path, broker: RealBroker, measure: Measure) -> None:
    """Run it, print what came of it, and hold it to the promise."""
    verdict = Tide(directory, disk, broker, measure).run()
    print(f"seed {measure.seed}, {broker.name}: {verdict}")
    assert verdict.missing == []
    assert verdict.twice == []
    assert verdict.untrue == []
    assert verdict.told >= measure.events * 0.9
    assert verdict.once >= verdict.told * 0.5
    assert verdict.kills.total() >= measure.kills


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(MosquittoBroker.missing()), reason="mosquitto is not installed")
def test_ten_thousand_events_through_fifty_kills_and_a_full_disk(tmp_path: Path, disk: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    check(tmp_path, disk, MosquittoBroker(tmp_path), Measure(events=10_000, kills=50, seed=seed))


@pytest.mark.prove
@pytest.mark.parametrize("disk", [512], indirect=True)  # an outbox of its full size: 16 MiB of events
@pytest.mark.parametrize("kind", BROKERS, ids=lambda kind: kind.name)
def test_a_million_events_through_kills_and_full_disks(
    tmp_path: Path, disk: Path, kind: type[RealBroker]
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    # Told somewhat slower than they are taken in between two kills: most of them must arrive, not be declared lost.
    measure = Measure(
        events=500_000, kills=200, seed=seed, batch=200, pause=0.35, between=(1.5, 7.0), drain_seconds=1800
    )
    check(tmp_path, disk, kind(tmp_path), measure)
