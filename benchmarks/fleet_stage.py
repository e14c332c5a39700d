"""The controller with its embedded broker and a rehearsal of many sites beside it, for the figures of a whole fleet.

Used by the modules of this package. Both are started by their commands, as an administrator would: with certificates on all
sides, every node enrolling by itself with one token, or (`plain`) without any.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archipel_agent.rehearsal.fleet.control import ControlFailed, ask
from tests.brokers.servers import free_port

PROGRAM = [sys.executable, "-m", "archipel_contract.launcher"]
TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 60.0
UP_SECONDS = 1200.0  # enrolling included
END_SECONDS = 60.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Served:
    """A controller that runs, with its embedded broker."""

    pid: int
    data: Path
    address: str  # of its pages
    port: int  # of its broker
    enrol_port: int

    def broker(self) -> int:
        """The embedded broker's process as it is now."""
        return next(pid for pid in children(self.pid) if is_broker(pid))

    def invitation(self, uses: int = 1) -> str:
        """Return the link by which so many devices may enrol; raise RuntimeError."""
        here = ["--data", str(self.data), "--url", self.address]
        argv = [*PROGRAM, "fleet", "token", "new", "--uses", str(uses), "--json", *here]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=READY_SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(f"the controller gave no token: {done.stderr[-300:]}")
        return str(json.loads(done.stdout)["link"])

    def measures(self) -> str:
        """Return what it shows to Prometheus."""
        token = (self.data / "cli.token").read_text().strip()
        wanted = urllib.request.Request(
            f"{self.address}/metrics", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(wanted, timeout=20) as answer:
            return str(answer.read().decode())


@dataclass(frozen=True)
class FleetStage:
    """A controller and a rehearsal that run."""

    directory: Path
    controller: int  # pid
    port: int
    broker: Callable[[], int]  # pid of the embedded broker as it is now
    nodes: int
    up_seconds: float  # from the command to the last node's being answered

    def show(self) -> dict[str, Any]:
        """What the rehearsal knows of its nodes; raise RuntimeError."""
        try:
            return ask(self.directory / "rehearsal", verb="show", where=[])
        except ControlFailed as error:
            said = (self.directory / "rehearsal.log").read_text(errors="replace")[-800:]
            raise RuntimeError(f"{error}; it said: {said}") from error

    def await_all(self, seconds: float) -> float:
        """Return the seconds until the controller answers every node; raise RuntimeError."""
        began = time.monotonic()
        while (shown := self.show())["answered"] < self.nodes:
            if time.monotonic() - began > seconds:
                raise RuntimeError(
                    f"{shown['answered']} of {self.nodes} nodes are answered after {seconds:g} s"
                )
            time.sleep(0.5)
        return time.monotonic() - began

    def await_another(self, broker: int, seconds: float) -> float:
        """Return when, by the monotonic clock, another broker than this process listens; raise RuntimeError."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if broker not in children(self.controller):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                    return time.monotonic()
            time.sleep(0.01)
        raise RuntimeError(f"the broker is not back after {seconds:g} s")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Return the memory a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / (1 << 20)


def children(pid: int) -> list[int]:
    """Return the processes a process has started, by any of its threads."""
    listed = (one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(word) for text in listed for word in text.split()]


@contextlib.contextmanager
def fleet_stage(
    sites: int, nodes: int, interval: float, metrics_every: float, plain: bool = False
) -> Iterator[FleetStage]:
    """Give a fleet in which every node has been answered; raise RuntimeError."""
    with contextlib.ExitStack() as undo:
        directory = Path(
            undo.enter_context(tempfile.TemporaryDirectory(prefix="archipel-fleet-", dir="/var/tmp"))
        )
        served = undo.enter_context(serving(directory, plain))
        began = time.monotonic()
        way = ["--broker", f"mqtt://127.0.0.1:{served.port}"]
        if not plain:
            way = ["--enrol", served.invitation(sites * nodes)]
        words = ["--sites", str(sites), "--nodes", str(nodes), *way, "--seed", "4"]
        words += ["--interval", f"{interval:g}", "--metrics-every", f"{metrics_every:g}"]
        rehearsal = undo.enter_context(_rehearsal(directory, words))
        _await(
            lambda: (directory / "rehearsal/control.sock").exists(), rehearsal, directory / "rehearsal.log"
        )
        stage = FleetStage(directory, served.pid, served.port, served.broker, sites * nodes, 0.0)
        stage.await_all(UP_SECONDS)
        yield replace(stage, up_seconds=time.monotonic() - began)


@contextlib.contextmanager
def serving(directory: Path, plain: bool = False) -> Iterator[Served]:
    """Run a controller with its data below `directory`, as from its first start; raise RuntimeError."""
    data, ready, log = directory / "data", directory / "ready", directory / "controller.log"
    port, enrolling = free_port(), free_port()
    words = ["--data", str(data), "--listen", "127.0.0.1:0", "--broker-port", str(port)]
    words += ["--security", "loopback"] if plain else ["--enrol-listen", f"127.0.0.1:{enrolling}"]
    with _kept([*PROGRAM, "fleet", "serve", *words, "--ready-file", str(ready)], log) as process:
        _await(lambda: ready.exists() and bool(ready.read_text()), process, log)
        yield Served(process.pid, data, ready.read_text().strip(), port, enrolling)


@contextlib.contextmanager
def _rehearsal(directory: Path, words: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
    log = directory / "rehearsal.log"
    with _kept([*PROGRAM, "rehearse", *words, "--root", str(directory / "rehearsal")], log) as process:
        yield process


@contextlib.contextmanager
def _kept(argv: list[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(seen: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while not seen():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"it does not start: {log.read_text(errors='replace')[-800:]}")
        time.sleep(0.1)


def is_broker(pid: int) -> bool:
    """Whether a process is an embedded broker."""
    return "nats" in Path(f"/proc/{pid}/comm").read_text()
