"""The controller with its embedded broker and a rehearsal of many sites beside it, for the figures of a whole fleet.

Used by the modules of this package. Both are started by their commands, as an administrator would.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archipel_agent.rehearsal.fleet.control import ask
from tests.brokers.servers import free_port

PROGRAM = [sys.executable, "-m", "archipel_contract.launcher"]
TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 60.0
UP_SECONDS = 600.0
END_SECONDS = 60.0
PAGE = os.sysconf("SC_PAGE_SIZE")


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
        """What the rehearsal knows of its nodes."""
        return ask(self.directory / "rehearsal", verb="show", where=[])

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
def fleet_stage(sites: int, nodes: int, interval: float, metrics_every: float) -> Iterator[FleetStage]:
    """Give a fleet in which every node has been answered; raise RuntimeError."""
    with contextlib.ExitStack() as undo:
        directory = Path(
            undo.enter_context(tempfile.TemporaryDirectory(prefix="archipel-fleet-", dir="/var/tmp"))
        )
        port, pages = free_port(), free_port()
        controller = undo.enter_context(_controller(directory, port, pages))
        began = time.monotonic()
        rehearsal = undo.enter_context(_rehearsal(directory, port, sites, nodes, (interval, metrics_every)))
        _await(
            lambda: (directory / "rehearsal/control.sock").exists(), rehearsal, directory / "rehearsal.log"
        )
        stage = FleetStage(
            directory,
            controller.pid,
            port,
            lambda: next(pid for pid in children(controller.pid) if _is_broker(pid)),
            sites * nodes,
            0.0,
        )
        stage.await_all(UP_SECONDS)
        yield replace(stage, up_seconds=time.monotonic() - began)


@contextlib.contextmanager
def _controller(directory: Path, port: int, pages: int) -> "Iterator[subprocess.Popen[bytes]]":
    ready = directory / "ready"
    words = ["--data", str(directory / "data"), "--listen", f"127.0.0.1:{pages}", "--broker-port", str(port)]
    words += ["--security", "loopback"]
    log = directory / "controller.log"
    with _kept([*PROGRAM, "fleet", "serve", *words, "--ready-file", str(ready)], log) as process:
        _await(ready.exists, process, log)
        yield process


@contextlib.contextmanager
def _rehearsal(
    directory: Path, port: int, sites: int, nodes: int, times: tuple[float, float]
) -> "Iterator[subprocess.Popen[bytes]]":
    interval, metrics_every = times
    words = [
        "--sites",
        str(sites),
        "--nodes",
        str(nodes),
        "--broker",
        f"mqtt://127.0.0.1:{port}",
        "--seed",
        "4",
    ]
    words += ["--interval", f"{interval:g}", "--metrics-every", f"{metrics_every:g}"]
    words += ["--root", str(directory / "rehearsal")]
    with _kept([*PROGRAM, "rehearse", *words], directory / "rehearsal.log") as process:
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


def _is_broker(pid: int) -> bool:
    return "nats" in Path(f"/proc/{pid}/comm").read_text()
