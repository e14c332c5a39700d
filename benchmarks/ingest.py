"""How many reports a second one controller on one core validates and commits, and how soon it acknowledges them."""

import time
from functools import cache

from archipel_contract import __version__
from benchmarks import reports
from benchmarks.figure import Figure
from benchmarks.fleet_ground import FleetGround, fleet_ground
from benchmarks.ground import Ground, tell

POOL = 3000  # nodes
OUTSTANDING = 2000  # messages on their way at once while the limit is looked for
LEAST = 3000  # messages a second that must be reached
RATE = 2000  # messages a second while latency is measured
RUNS = 3
STALL_SECONDS = 30.0  # without an acknowledgement that is due; something is broken then


def _method() -> str:
    return (
        f"the controller itself (archipel {__version__}) pinned to one core, SQLite on a disk; mosquitto and {POOL} nodes "
        f"of {POOL // reports.NODES_OF_A_SITE} sites on the other cores, over one connection. Each message is the next of "
        f"another node: {reports.MIX}; a whole state is {reports.state_bytes()} bytes of JSON before compression."
    )


def rate(ground: Ground) -> Figure:
    """Measure the most it takes; raise Skipped."""
    seen = _measured(10.0 if not ground.quick else 4.0)
    return Figure(
        name="ingest-rate",
        title="Reports validated, committed and acknowledged by one core",
        unit="reports/s",
        values=seen.rates,
        bound=float(LEAST),
        is_least=True,
        method=f"{_method()} {OUTSTANDING} messages are on their way at any time; counted are acknowledgements.",
        details=seen.rate_details,
    )


def latency(ground: Ground) -> Figure:
    """Measure how long an acknowledgement takes at two thirds of the rate that must be reached; raise Skipped."""
    seen = _measured(10.0 if not ground.quick else 4.0)
    return Figure(
        name="ingest-latency",
        title=f"99th percentile from publish to acknowledgement at {RATE} reports/s",
        unit="ms",
        values=seen.latencies,
        bound=300.0,
        method=f"{_method()} Time runs from when a message was due, to its acknowledgement at the node.",
        details=seen.latency_details,
    )


class _Seen:
    def __init__(self) -> None:
        self.rates: tuple[float, ...] = ()
        self.latencies: tuple[float, ...] = ()
        self.rate_details: tuple[str, ...] = ()
        self.latency_details: tuple[str, ...] = ()


@cache
def _measured(seconds: float) -> _Seen:
    seen = _Seen()
    with fleet_ground() as fleet:
        tell(f"{POOL} nodes say hello")
        nodes = reports.pool(POOL)
        at = round(time.time() * 1000)
        for node in nodes:
            fleet.send(node.hello(at))
        _closed_loop(fleet, list(reports.messages(nodes, 2 * POOL, at)))
        for run in range(RUNS):
            tell(f"ingest, run {run + 1} of {RUNS}")
            made = list(reports.messages(nodes, round(LEAST * seconds), round(time.time() * 1000)))
            before = fleet.used(fleet.controller.pid), fleet.used(fleet.broker.pid), time.monotonic()
            seen.rates += (len(made) / _closed_loop(fleet, made),)
            seen.rate_details += (_shares(fleet, before, len(made)),)
        for _ in range(RUNS):
            made = list(reports.messages(nodes, round(RATE * seconds), round(time.time() * 1000)))
            before = fleet.used(fleet.controller.pid), fleet.used(fleet.broker.pid), time.monotonic()
            times = _paced(fleet, made)
            seen.latencies += (times[int(len(times) * 0.99)] * 1000,)
            seen.latency_details += (
                f"{_shares(fleet, before, len(made))}; median {times[len(times) // 2] * 1000:.0f} ms, "
                f"longest {times[-1] * 1000:.0f} ms",
            )
        if fleet.asks:
            raise RuntimeError(
                f"the controller asked for {fleet.asks} whole states: messages were lost on the way"
            )
    return seen


def _shares(fleet: FleetGround, before: tuple[float, float, float], count: int) -> str:
    seconds = time.monotonic() - before[2]
    used = fleet.used(fleet.controller.pid) - before[0]
    controller = used / seconds * 100
    broker = (fleet.used(fleet.broker.pid) - before[1]) / seconds * 100
    memory = fleet.resident_mib(fleet.controller.pid)
    return (
        f"controller {controller:.0f} % of its core ({used / count * 1e6:.0f} us a report) and {memory:.0f} MiB, "
        f"mosquitto {broker:.0f} %"
    )


def _closed_loop(fleet: FleetGround, made: list[reports.Sending]) -> float:
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
