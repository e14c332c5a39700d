"""The ground of the ingest figures in small: devices with certificates, and every report of theirs is answered."""

import time
from pathlib import Path

import pytest

from archipel_fleet.link.broker import find_program
from benchmarks import ingest, reports
from benchmarks.fleet_ground import Way, fleet_ground
from tests.brokers.servers import MosquittoBroker

MISSING = {Way.EMBEDDED: "" if find_program() else "nats-server", Way.MOSQUITTO: MosquittoBroker.missing()}
pytestmark = [pytest.mark.broker, pytest.mark.real_process, pytest.mark.timeout(60)]


@pytest.mark.parametrize("way", [Way.EMBEDDED, Way.MOSQUITTO])
def test_reports_of_devices_with_certificates_are_all_taken_in_far_faster_than_one_at_a_time(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if MISSING[way]:
        pytest.skip(MISSING[way])
    monkeypatch.setenv("ARCHIPEL_BENCH_DIRECTORY", str(tmp_path))
    nodes = reports.pool(12)
    with fleet_ground(way, nodes) as fleet:
        at = round(time.time() * 1000)
        fleet.greet(nodes, at, 20.0)
        seconds = ingest.closed_loop(fleet, list(reports.messages(nodes, 600, at)))
        assert (fleet.asks, fleet.waiting, fleet.welcomes) == (0, 0, 12)
        # One message in each 10 ms is what a reader makes of it that takes one TLS record at a time.
        assert seconds < 4.0
