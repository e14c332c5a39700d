"""A controller on one core over a real broker, and a pool of nodes on the others, for the figures of the fleet.

Used by the modules of this package. The controller is the program itself, with SQLite on this machine's disk. Where there
are certificates, every node of the pool is a device of the registry with a TLS connection of its own, and the controller
has its usual one; without any, the pool shares one connection.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from archipel_contract.link import envelope, secure, topics
from archipel_contract.link.broker_url import TLS, BrokerUrl
from archipel_contract.link.carrier import Arrived, Incoming, Lost, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from archipel_fleet.link import broker_mosquitto
from archipel_fleet.link.broker_access import CHECKER
from benchmarks.crowd import Crowd
from benchmarks.figure import Skipped
from benchmarks.fleet_stage import children, cpu_seconds, is_broker, resident_mib
from benchmarks.ground import tell
from benchmarks.registered import HOST, Registered, register
from benchmarks.reports import PoolNode, Sending
from tests.brokers.servers import MosquittoBroker, RealBroker, free_port

CONTROLLER_CORE = 0
START = (
    "import sys\nfrom archipel_fleet.serve import start\n"
    "names = ('data', 'listen', 'enrol_listen', 'ready_file', 'broker', 'broker_port')\n"
    "sys.exit(start({name: value or None for name, value in zip(names, sys.argv[1:], strict=True)}))"
)
READY_SECONDS = 60.0
GREETED_AT_ONCE = 500
UNACKNOWLEDGED = 900  # by the broker; less than it lets one client have
LOG = "controller.log"
TOLD_EVERY = 1000  # devices


class Way(StrEnum):
    """How nodes and controller talk."""

    MOSQUITTO = "mosquitto, certificates on all sides"
    EMBEDDED = "the embedded nats-server, certificates on all sides"
    PLAIN = "mosquitto without certificates"


class Link(Protocol):
    """The pool's way to the broker, as a Carrier or a Crowd has it."""

    def send(self, message: Outgoing) -> bool:
        """Hand a message over; False when too much is on its way."""
        ...

    def receive(self, timeout: float | None) -> Sequence[Arrived]:
        """Return what arrived, waiting for the first of it."""
        ...


@dataclass
class FleetGround:
    """A controller, its broker, and the connections of the pool."""

    directory: Path
    controller: int  # pid
    broker: int
    link: Link
    asks: int = 0
    welcomes: int = 0
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
                raise RuntimeError(
                    f"{self.waiting} messages were not acknowledged within {seconds:g} s; {self._said()}"
                )
            self.listen(0.05)

    def greet(self, nodes: Sequence[PoolNode], at: int, seconds: float) -> None:
        """Have all say hello, each as soon as there is room; return when all are welcome, or raise RuntimeError."""
        for sent, node in enumerate(nodes):
            self.send(node.hello(at))
            self._until_welcome(sent + 1 - GREETED_AT_ONCE, seconds)
        self._until_welcome(len(nodes), seconds)

    def _until_welcome(self, wanted: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.welcomes < wanted:
            if time.monotonic() > until:
                raise RuntimeError(f"only {self.welcomes} nodes are welcome; {self._said()}")
            self.listen(0.05)

    def _said(self) -> str:
        return f"the controller says: {(self.directory / LOG).read_text(errors='replace')[-500:]}"

    def used(self) -> tuple[float, float, float]:
        """Return the seconds of CPU that controller, broker and pool have used so far."""
        return cpu_seconds(self.controller), cpu_seconds(self.broker), time.process_time()

    def resident_mib(self) -> float:
        """Return how much memory the controller holds."""
        return resident_mib(self.controller)

    def _heard(self, arrived: Incoming) -> None:
        address = topics.parse(arrived.topic)
        self.asks += address.channel is topics.Down.ASK
        self.welcomes += address.channel is topics.Down.WELCOME
        if address.channel is not topics.Down.ACK:
            return
        now = time.monotonic()
        # Who signed it is not looked at: the pool is not what is measured.
        for one in envelope.from_wire(arrived.payload, lambda frame: None)[1].body["acks"]:
            waiting = self._waiting.get((address.node_id, one["epoch"]), {})
            for sequence in [known for known in waiting if known <= one["upto"]]:
                self.latencies.append(now - waiting.pop(sequence))
                self.waiting -= 1


class _GuardedMosquitto(MosquittoBroker):
    """A mosquitto that asks for certificates, as `archipel fleet broker config mosquitto` sets one up."""

    def __init__(self, directory: Path, fleet: Registered) -> None:
        self._fleet = fleet
        super().__init__(directory, fleet.access.port)
        self.url = BrokerUrl(HOST, self.port, scheme=TLS)

    def configured(self) -> str:
        """Write all that it reads, and return its configuration."""
        access = self._fleet.access
        texts = {
            broker_mosquitto.RULES: broker_mosquitto.rules(access),
            broker_mosquitto.OPENSSL: broker_mosquitto.openssl(),
        }
        for name, content in {
            **access.files(),
            **{name: text.encode() for name, text in texts.items()},
        }.items():
            (self.directory / name).write_bytes(content)
        return broker_mosquitto.guarded(
            access, self.directory, self.directory, "root" if os.geteuid() == 0 else ""
        )

    def environment(self) -> dict[str, str]:
        """See `unit` of broker_mosquitto."""
        return {"OPENSSL_CONF": str(self.directory / broker_mosquitto.OPENSSL)}

    def _probe(self) -> MqttCarrier:
        own, trusted = self._fleet.keys.client_files(), self._fleet.authorities
        return MqttCarrier(
            self.url,
            CHECKER,
            tls=lambda: secure.client_context(trusted, own.certificate, own.key, check_time=True),
        )


@contextlib.contextmanager
def fleet_ground(way: Way, nodes: list[PoolNode]) -> Iterator[FleetGround]:
    """Give a controller that is ready, and these nodes connected; raise Skipped."""
    if way is not Way.EMBEDDED and (missing := MosquittoBroker.missing()):
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
        if way is Way.PLAIN:
            yield undo.enter_context(_plain(directory))
        else:
            yield undo.enter_context(_secured(directory, way, nodes))


@contextlib.contextmanager
def _plain(directory: Path) -> Iterator[FleetGround]:
    with contextlib.ExitStack() as undo:
        broker = undo.enter_context(MosquittoBroker(directory))
        link = MqttCarrier(broker.url, "pool", window=UNACKNOWLEDGED)
        undo.callback(link.close)
        link.open()
        link.subscribe([(f"{topics.ROOT}/+/+/down/#", 0)])
        controller = undo.enter_context(_controller(directory, str(broker.url)))
        yield FleetGround(directory, controller, broker.pid, link)


@contextlib.contextmanager
def _secured(directory: Path, way: Way, nodes: list[PoolNode]) -> Iterator[FleetGround]:
    with contextlib.ExitStack() as undo:
        tell(f"{len(nodes)} devices enrol")
        port = free_port()
        fleet = register(directory / "data", directory / "devices", [one.node_id for one in nodes], port)
        for node, device in zip(nodes, fleet.devices, strict=True):
            node.signer = device.signer
        if way is Way.MOSQUITTO:
            mosquitto: RealBroker = undo.enter_context(_GuardedMosquitto(directory, fleet))
            controller = undo.enter_context(_controller(directory, str(mosquitto.url)))
            broker = mosquitto.pid
        else:
            controller = undo.enter_context(_controller(directory, "", port))
            broker = next(pid for pid in children(controller) if is_broker(pid))
            # The controller's child began on its core, which is for the controller alone.
            for task in Path(f"/proc/{broker}/task").iterdir():
                os.sched_setaffinity(int(task.name), os.sched_getaffinity(0))
        crowd = Crowd(port, fleet.authorities, UNACKNOWLEDGED)
        undo.callback(crowd.close)
        for number, (node, device) in enumerate(zip(nodes, fleet.devices, strict=True)):
            if number % TOLD_EVERY == 0:
                tell(f"{number} of {len(nodes)} devices are connected")
            crowd.connect(device, node.hears)
        yield FleetGround(directory, controller, broker, crowd)


@contextlib.contextmanager
def _controller(directory: Path, broker: str, broker_port: int = 0) -> Iterator[int]:
    """Run a controller on its core; give its process once it is ready, or raise RuntimeError."""
    ready, log = directory / "ready", directory / LOG
    enrolling = f"{HOST}:{free_port()}"
    words = [str(directory / "data"), f"{HOST}:0", enrolling, str(ready), broker, str(broker_port or "")]
    with _pinned([sys.executable, "-c", START, *words], log, {CONTROLLER_CORE}) as process:
        until = time.monotonic() + READY_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the controller does not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield process.pid


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
