"""A controller on one core over a real mosquitto, and a pool of nodes on the other, for the figures of the fleet.

Used by the modules of this package. The controller is the program itself, with SQLite on this machine's disk.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from archipel_contract.link import envelope, topics
from archipel_contract.link.carrier import Incoming, Lost, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from benchmarks.figure import Skipped
from benchmarks.reports import Sending
from tests.brokers.servers import MosquittoBroker, RealBroker

CONTROLLER_CORE = 0
START = (
    "import sys\nfrom archipel_fleet.serve import start\n"
    "sys.exit(start({'data': sys.argv[1], 'listen': '127.0.0.1:0', 'broker': sys.argv[2], 'ready_file': sys.argv[3]}))"
)
READY_SECONDS = 60.0
UNACKNOWLEDGED = 900  # by the broker; less than it lets one client have
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class FleetGround:
    """A controller, its broker, and the connections of the pool."""

    directory: Path
    controller: "subprocess.Popen[bytes]"
    broker: RealBroker
    link: MqttCarrier
    asks: int = 0
    _waiting: dict[tuple[str, int], dict[int, float]] = field(default_factory=dict)
    waiting: int = 0
    latencies: list[float] = field(default_factory=list)

    def send(self, one: Sending, due: float | None = None) -> None:
        """Send a message; its time counts from when it was due."""
        while not self.link.send(Outgoing(topic=one.topic, payload=one.payload, qos=one.qos)):
            self.listen(0.005)
        if one.sequence:
            moment = time.monotonic() if due is None else due
            self._waiting.setdefault((one.node_id, one.epoch), {})[one.sequence] = moment
            self.waiting += 1

    def listen(self, seconds: float) -> None:
        """Take in what the controller says, waiting so long for the first of it."""
        for arrived in self.link.receive(seconds):
            if isinstance(arrived, Lost):
                raise RuntimeError(f"the broker is gone: {arrived.detail}")
            self._heard(arrived)

    def drain(self, seconds: float, left: int = 0) -> None:
        """Listen until at most `left` messages are not acknowledged; raise RuntimeError when that takes longer."""
        until = time.monotonic() + seconds
        while self.waiting > left:
            if time.monotonic() > until:
                raise RuntimeError(f"{self.waiting} messages were not acknowledged within {seconds:g} s")
            self.listen(0.05)

    def used(self, pid: int) -> float:
        """Return the seconds of CPU a process has used so far."""
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS

    def resident_mib(self, pid: int) -> float:
        """Return how much memory a process holds."""
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def _heard(self, arrived: Incoming) -> None:
        address = topics.parse(arrived.topic)
        if address.channel is topics.Down.ASK:
            self.asks += 1
        if address.channel is not topics.Down.ACK:
            return
        now = time.monotonic()
        for one in envelope.from_wire(arrived.payload)[1].body["acks"]:
            waiting = self._waiting.get((address.node_id, one["epoch"]), {})
            for sequence in [known for known in waiting if known <= one["upto"]]:
                self.latencies.append(now - waiting.pop(sequence))
                self.waiting -= 1


@contextlib.contextmanager
def fleet_ground() -> Iterator[FleetGround]:
    """Give a controller that is ready; raise Skipped."""
    if missing := MosquittoBroker.missing():
        raise Skipped(missing)
    if (os.cpu_count() or 1) < 2:
        raise Skipped("this takes two cores: one for the controller, one for broker and nodes")
    others = set(range(os.cpu_count() or 1)) - {CONTROLLER_CORE}
    ours = os.sched_getaffinity(0)
    with contextlib.ExitStack() as undo:
        directory = Path(
            undo.enter_context(tempfile.TemporaryDirectory(prefix="archipel-ingest-", dir=_disk()))
        )
        os.sched_setaffinity(0, others)
        undo.callback(os.sched_setaffinity, 0, ours)
        broker = undo.enter_context(MosquittoBroker(directory))
        link = MqttCarrier(broker.url, "pool", window=UNACKNOWLEDGED)
        undo.callback(link.close)
        link.open()
        link.subscribe([(f"{topics.ROOT}/+/+/down/#", 0)])
        ready = directory / "ready"
        argv = [sys.executable, "-c", START, str(directory / "data"), str(broker.url), str(ready)]
        controller = undo.enter_context(_pinned(argv, directory / "controller.log", {CONTROLLER_CORE}))
        until = time.monotonic() + READY_SECONDS
        while not ready.exists():
            if controller.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"the controller does not start: {(directory / 'controller.log').read_text()[-500:]}"
                )
            time.sleep(0.05)
        yield FleetGround(directory, controller, broker, link)


@contextlib.contextmanager
def _pinned(argv: list[str], log: Path, cores: set[int]) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=subprocess.STDOUT)
    os.sched_setaffinity(process.pid, cores)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _disk() -> str:
    """A directory on a disk: where temporary files are in memory, a database there would tell nothing."""
    return os.environ.get("ARCHIPEL_BENCH_DIRECTORY", "/var/tmp")
