"""How many reports a second one controller on one core validates and commits, and how soon it acknowledges them.

With certificates on all sides over mosquitto and over the embedded broker, and without any for comparison.
"""

import time
from dataclasses import dataclass, field
from functools import cache

from archipel_contract import __version__
from benchmarks import reports
from benchmarks.figure import Figure
from benchmarks.fleet_ground import FleetGround, Way, fleet_ground
from benchmarks.ground import Ground, tell

POOL = 3000  # nodes
OUTSTANDING = 2000  # messages on their way at once while the limit is looked for
LEAST = 3000  # messages a second that must be reached
RATE = 2000  # messages a second while latency is measured
RUNS = 3
STALL_SECONDS = 30.0  # without an acknowledgement that is due; something is broken then
NAMES = {Way.MOSQUITTO: "", Way.EMBEDDED: "-embedded", Way.PLAIN: "-plain"}


def rate(ground: Ground) -> Figure:
    """Measure the most it takes over mosquitto; raise Skipped."""
    return _rate(ground, Way.MOSQUITTO)


def rate_embedded(ground: Ground) -> Figure:
    """Measure the most it takes over the embedded broker; raise Skipped."""
    return _rate(ground, Way.EMBEDDED)


def rate_plain(ground: Ground) -> Figure:
    """Measure the most it takes without certificates; raise Skipped."""
    return _rate(ground, Way.PLAIN)


def latency(ground: Ground) -> Figure:
    """Measure how long an acknowledgement takes over mosquitto; raise Skipped."""
    return _latency(ground, Way.MOSQUITTO)


def latency_embedded(ground: Ground) -> Figure:
    """Measure how long an acknowledgement takes over the embedded broker; raise Skipped."""
    return _latency(ground, Way.EMBEDDED)


def latency_plain(ground: Ground) -> Figure:
    """Measure how long an acknowledgement takes without certificates; raise Skipped."""
    return _latency(ground, Way.PLAIN)


def _rate(ground: Ground, way: Way) -> Figure:
    seen = _measured(way, ground.quick)
    return Figure(
        name=f"ingest-rate{NAMES[way]}",
        title=f"Reports validated, committed and acknowledged by one core, {way}",
        unit="reports/s",
        values=seen.rates,
        bound=float(LEAST),
        is_least=True,
        method=f"{_method(way)} {OUTSTANDING} messages are on their way at any time; counted are acknowledgements.",
        details=seen.rate_details,
    )


def _latency(ground: Ground, way: Way) -> Figure:
    seen = _measured(way, ground.quick)
    return Figure(
        name=f"ingest-latency{NAMES[way]}",
        title=f"99th percentile from publish to acknowledgement at {RATE} reports/s, {way}",
        unit="ms",
        values=seen.latencies,
        bound=300.0,
        method=f"{_method(way)} Time runs from when a message was due, to its acknowledgement at the node.",
        details=seen.latency_details,
    )


def _method(way: Way) -> str:
    over = (
        "over one connection"
        if way is Way.PLAIN
        else "each a device of the registry with a TLS connection and a certificate of its own"
    )
    return (
        f"the controller itself (archipel {__version__}) pinned to one core, SQLite on a disk; broker and {POOL} nodes "
        f"of {POOL // reports.NODES_OF_A_SITE} sites on the other cores, {over}. Each message is the next of "
        f"another node: {reports.MIX}; a whole state is {reports.state_bytes()} bytes of JSON before compression."
    )


@dataclass
class _Seen:
    rates: tuple[float, ...] = ()
    latencies: tuple[float, ...] = ()
    rate_details: tuple[str, ...] = ()
    latency_details: tuple[str, ...] = ()


@dataclass
class _Watch:
    """What a run costs, from its making on."""

    fleet: FleetGround
    count: int
    began: float = field(default_factory=time.monotonic)
    before: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        self.before = self.fleet.used()

    def said(self) -> str:
        """In words, now."""
        seconds = time.monotonic() - self.began
        spent = [now - then for now, then in zip(self.fleet.used(), self.before, strict=True)]
        controller, broker, pool = (
            f"{one / seconds * 100:.0f} % of a core ({one / self.count * 1e6:.0f} us a report)"
            for one in spent
        )
        return (
            f"controller {controller} and {self.fleet.resident_mib():.0f} MiB, broker {broker}, pool {pool}"
        )


@cache
def _measured(way: Way, quick: bool) -> _Seen:
    seen, seconds, runs = _Seen(), 4.0 if quick else 10.0, 1 if quick else RUNS
    nodes = reports.pool(POOL)
    with fleet_ground(way, nodes) as fleet:
        tell(f"{POOL} nodes say hello")
        at = round(time.time() * 1000)
        fleet.greet(nodes, at, STALL_SECONDS)
        closed_loop(fleet, list(reports.messages(nodes, 2 * POOL, at)))
        for run in range(runs):
            tell(f"ingest, run {run + 1} of {runs}")
            made = list(reports.messages(nodes, round(LEAST * seconds), round(time.time() * 1000)))
            watch = _Watch(fleet, len(made))
            seen.rates += (len(made) / closed_loop(fleet, made),)
            seen.rate_details += (watch.said(),)
        for _ in range(runs):
            made = list(reports.messages(nodes, round(RATE * seconds), round(time.time() * 1000)))
            watch = _Watch(fleet, len(made))
            times = _paced(fleet, made)
            seen.latencies += (times[int(len(times) * 0.99)] * 1000,)
            seen.latency_details += (
                f"{watch.said()}; median {times[len(times) // 2] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms",
            )
        if fleet.asks:
            raise RuntimeError(
                f"the controller asked for {fleet.asks} whole states: messages were lost on the way"
            )
    return seen


def closed_loop(fleet: FleetGround, made: list[reports.Sending]) -> float:
    """Send all with OUTSTANDING of them on their way at any time; return in how many seconds all were acknowledged."""
    began = time.monotonic()
    for count, one in enumerate(made):
        fleet.send(one)
        if count % 20 == 0:
            fleet.listen(0.0)
            fleet.drain(STALL_SECONDS, OUTSTANDING)
    fleet.drain(STALL_SECONDS)
    return time.monotonic() - began


def _paced(fleet: FleetGround, made: list[reports.Sending]) -> list[float]:
    """Send at RATE; return the sorted times until each message was acknowledged, in seconds."""
    fleet.latencies.clear()
    began = time.monotonic()
    for count, one in enumerate(made):
        due = began + count / RATE
        while time.monotonic() < due:
            fleet.listen(due - time.monotonic())
        fleet.send(one, due)
    fleet.drain(STALL_SECONDS)
    return sorted(fleet.latencies)
