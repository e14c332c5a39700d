"""What 500 sites of three nodes cost their controller while nothing happens, and how they come back to a new broker."""

import os
import signal
import time
from collections.abc import Iterator
from functools import cache

from benchmarks.figure import Figure
from benchmarks.fleet_stage import FleetStage, cpu_seconds, fleet_stage, resident_mib
from benchmarks.ground import Ground, tell

SITES, NODES = 500, 3
QUICK_SITES = 100
INTERVAL, METRICS_EVERY = 60.0, 300.0
SETTLE_SECONDS = 60.0
WINDOW_SECONDS, QUICK_SECONDS = 600.0, 60.0  # the longer one holds two metrics messages of every node
AGENTS, QUICK_AGENTS = 500, 100
BACK_SECONDS = 300.0
SAMPLE_SECONDS = 0.5


class Steady:
    """What was seen in one window."""

    def __init__(self, stage: FleetStage, seconds: float) -> None:
        """Watch for so long."""
        broker = stage.broker()
        before = (cpu_seconds(stage.controller), cpu_seconds(broker))
        began, resident, of_broker = time.monotonic(), 0.0, 0.0
        while time.monotonic() - began < seconds:
            time.sleep(5.0)
            resident = max(resident, resident_mib(stage.controller))
            of_broker = max(of_broker, resident_mib(broker))
        self.seconds = time.monotonic() - began
        if (answered := stage.show()["answered"]) < stage.nodes:
            raise RuntimeError(
                f"only {answered} of {stage.nodes} nodes were answered at the end of the window"
            )
        self.controller_percent = (cpu_seconds(stage.controller) - before[0]) / self.seconds * 100
        self.broker_percent = (cpu_seconds(broker) - before[1]) / self.seconds * 100
        self.controller_mib, self.broker_mib = resident, of_broker
        self.up_seconds = stage.up_seconds
        self.sites = stage.nodes // NODES


def cpu(ground: Ground) -> Figure:
    """How much of a core the controller takes."""
    return _cpu(ground, plain=False)


def cpu_plain(ground: Ground) -> Figure:
    """The same without certificates."""
    return _cpu(ground, plain=True)


def memory(ground: Ground) -> Figure:
    """How much memory the controller holds at most."""
    return _memory(ground, plain=False)


def memory_plain(ground: Ground) -> Figure:
    """The same without certificates."""
    return _memory(ground, plain=True)


def reconnect(ground: Ground) -> Figure:
    """How many attempts fail while agents come back after their broker was killed."""
    return _reconnect(ground, plain=False)


def reconnect_plain(ground: Ground) -> Figure:
    """The same without certificates."""
    return _reconnect(ground, plain=True)


def _cpu(ground: Ground, plain: bool) -> Figure:
    seen = _steady(ground.quick, plain)
    return Figure(
        name=f"fleet-cpu{'-plain' if plain else ''}",
        title=f"CPU of the controller with {seen.sites} rehearsed sites of {NODES} nodes, {_over(plain)}",
        unit="% of a core",
        values=(seen.controller_percent,),
        bound=20.0,
        is_strict=True,
        method=_method(seen, plain),
        details=(f"the embedded broker beside it: {seen.broker_percent:.1f} % of a core",),
    )


def _memory(ground: Ground, plain: bool) -> Figure:
    seen = _steady(ground.quick, plain)
    return Figure(
        name=f"fleet-memory{'-plain' if plain else ''}",
        title=f"Memory of the controller with {seen.sites} rehearsed sites of {NODES} nodes, {_over(plain)}",
        unit="MiB",
        values=(seen.controller_mib,),
        bound=200.0,
        is_strict=True,
        method=f"the largest resident set (/proc/PID/statm), looked at every 5 s; {_method(seen, plain)}",
        details=(f"the embedded broker beside it: {seen.broker_mib:.0f} MiB",),
    )


def _over(plain: bool) -> str:
    return "without certificates" if plain else "over mTLS"


def _method(seen: Steady, plain: bool) -> str:
    enrolled = "" if plain else ", enrolled with one token,"
    return (
        "`archipel fleet serve` with SQLite and its embedded broker, and `archipel rehearse` on the same machine; the real "
        f"agents{enrolled} take a turn every {INTERVAL:g} s and send metrics every {METRICS_EVERY:g} s. All nodes were "
        f"answered {seen.up_seconds:.0f} s after the start; measured {SETTLE_SECONDS:g} s later, for {seen.seconds:.0f} s."
    )


@cache
def _steady(quick: bool, plain: bool) -> Steady:
    sites = QUICK_SITES if quick else SITES
    tell(f"{sites} sites of {NODES} nodes come up, {_over(plain)}")
    with fleet_stage(sites, NODES, INTERVAL, METRICS_EVERY, plain) as stage:
        seconds = QUICK_SECONDS if quick else WINDOW_SECONDS
        tell(f"watching the controller for {seconds:g} s")
        time.sleep(SETTLE_SECONDS if not quick else 20.0)
        return Steady(stage, seconds)


def _reconnect(ground: Ground, plain: bool) -> Figure:
    agents = QUICK_AGENTS if ground.quick else AGENTS
    tell(f"{agents} agents lose their broker, {_over(plain)}")
    with fleet_stage(agents, 1, INTERVAL, METRICS_EVERY, plain) as stage:
        before = stage.show()
        began = time.monotonic()
        killed = stage.broker()
        os.kill(killed, signal.SIGKILL)
        listens = stage.await_another(killed, BACK_SECONDS)
        rates, last, seconds = [0.0], before["connections"], SAMPLE_SECONDS
        for now, accepted in _returning(stage, before["connections"] + stage.nodes):
            rates.append((accepted - last) / SAMPLE_SECONDS)
            last, seconds = accepted, now - began
        stage.await_all(BACK_SECONDS)
        answered = time.monotonic() - began
        attempts = stage.show()["failures"]
    failures = [when for when, _ in attempts if when > began]
    refused = [when for when in failures if when > listens]
    return Figure(
        name=f"reconnect{'-plain' if plain else ''}",
        title=f"Refused attempts while {agents} agents reconnect to a broker that was started again, {_over(plain)}",
        unit="attempts",
        values=(float(len(refused)),),
        bound=0.0,
        method=(
            f"{agents} rehearsed agents on the controller's embedded broker, which is killed (-9) and started again by the "
            "controller; counted at the agents are attempts that were refused, or not accepted in time, once the broker "
            "listens again."
        ),
        details=(
            f"all were connected again after {seconds:.0f} s, and answered after {answered:.0f} s",
            f"at most {max(rates):.0f} connections a second, {stage.nodes / seconds:.0f} on average",
            f"the broker was away for {listens - began:.1f} s; {len(failures) - len(refused)} attempts fell into that time",
        ),
    )


def _returning(stage: FleetStage, wanted: int) -> Iterator[tuple[float, int]]:
    """Give the time and the number of connections accepted so far, until all are back; raise RuntimeError."""
    until = time.monotonic() + BACK_SECONDS
    accepted = 0
    while accepted < wanted:
        time.sleep(SAMPLE_SECONDS)
        accepted = stage.show()["connections"]
        yield time.monotonic(), accepted
        if time.monotonic() > until:
            raise RuntimeError(
                f"{wanted - accepted} of {stage.nodes} agents are not back after {BACK_SECONDS:g} s"
            )
