"""Kills agent, broker and controller at random moments while numbered events flow, fills the agent's disk in between, and
compares what was told with what is in the database: exactly once each, or covered by a gap that is true.
"""

import contextlib
import os
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.brokers.servers import RealBroker
from tests.chaos.chatter import TOO_FULL
from tests.hosts import shell

AGENT, BROKER, CONTROLLER = "agent", "broker", "controller"
PROGRAM = [sys.executable, "-m", "archipel_contract.launcher"]
READY_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How much of everything."""

    events: int
    kills: int
    seed: int
    batch: int = 20
    pause: float = 0.08  # seconds between two batches
    drain_seconds: float = 90.0
    between: tuple[float, float] = (0.2, 1.6)  # seconds from one kill to the next


@dataclass
class Verdict:
    """What came of it."""

    told: int = 0
    once: int = 0
    in_gaps: int = 0
    missing: list[int] = field(default_factory=list)  # told, not in the database, and in no gap
    twice: list[int] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)  # gaps that cover what arrived
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        kills = ", ".join(f"{count} x {who}" for who, count in sorted(self.kills.items()))
        return (
            f"{self.told} told, {self.once} exactly once, {self.in_gaps} in declared gaps, {len(self.missing)} missing, "
            f"{len(self.twice)} twice, {len(self.untrue)} untrue gaps; killed {kills}; {self.seconds:.0f} s"
        )


class Tide:
    """One run. `disk` is where the agent's files lie: a small file system of its own, so that it can be filled."""

    def __init__(self, directory: Path, disk: Path, broker: RealBroker, measure: Measure) -> None:
        self._directory, self._disk, self._broker, self._measure = directory, disk, broker, measure
        self._ledger = directory / "ledger"
        self._random = random.Random(measure.seed)
        self._agent: shell.Spawned | None = None
        self._controller: shell.Spawned | None = None
        self._verdict = Verdict()

    def run(self) -> Verdict:
        """Do it all and return what came of it; raises TimeoutError when it does not come to rest."""
        began = time.monotonic()
        self._broker.start()
        try:
            self._start_controller()
            self._await_controller()
            self._start_agent()
            for number in range(self._measure.kills):
                self._wait(self._random.uniform(*self._measure.between))
                if number == self._measure.kills // 2:
                    self._fill_disk()
                self._kill(self._random.choice((AGENT, AGENT, BROKER, CONTROLLER)))
            self._drain()
        finally:
            for part in (self._agent, self._controller):
                if part is not None:
                    part.stop(grace=10.0)
            self._broker.stop()
        self._judge()
        self._verdict.seconds = time.monotonic() - began
        return self._verdict

    # --- parts -------------------------------------------------------------------------------------------------------

    def _start_agent(self) -> None:
        measure = self._measure
        words = [str(self._disk), str(self._ledger), f"mqtt://127.0.0.1:{self._broker.port}"]
        numbers = [str(measure.events), str(measure.batch), str(measure.pause)]
        argv = [sys.executable, "-m", "tests.chaos.chatter", *words, *numbers]
        self._agent = shell.spawn(argv, output=self._directory / "agent.log")

    def _start_controller(self) -> None:
        data = self._directory / "controller"
        words = [
            "--data",
            str(data),
            "--listen",
            "127.0.0.1:0",
            "--broker",
            f"mqtt://127.0.0.1:{self._broker.port}",
        ]
        self._ready.unlink(missing_ok=True)
        argv = [*PROGRAM, "fleet", "serve", *words, "--ready-file", str(self._ready)]
        self._controller = shell.spawn(argv, output=self._directory / "controller.log")

    @property
    def _ready(self) -> Path:
        return self._directory / "ready"

    def _await_controller(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while not self._ready.exists():
            assert self._controller is not None and self._controller.rc is None, self._said()
            assert time.monotonic() < until, self._said()
            time.sleep(POLL_SECONDS)

    def _kill(self, who: str) -> None:
        self._verdict.kills[who] += 1
        if who == BROKER:
            self._broker.kill()
            self._broker.start()
            return
        part = self._agent if who == AGENT else self._controller
        assert part is not None
        part.signal(9)
        part.wait(10)
        if who == AGENT:
            self._start_agent()
        else:
            self._start_controller()

    def _wait(self, seconds: float) -> None:
        """Let time pass; an agent that found its disk full is started again, as systemd would."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._agent is not None and self._agent.rc == TOO_FULL:
                self._start_agent()
            time.sleep(POLL_SECONDS)

    def _fill_disk(self) -> None:
        """Leave no byte on the agent's disk for a while, with a kill in the middle of it."""
        filler = self._disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        self._wait(2.0)
        self._kill(AGENT)
        self._wait(2.0)
        filler.unlink(missing_ok=True)

    def _drain(self) -> None:
        until = time.monotonic() + self._measure.drain_seconds
        assert self._agent is not None
        while self._agent.rc != 0:
            if self._agent.rc is not None and self._agent.rc != TOO_FULL:
                raise AssertionError(f"the agent ended with {self._agent.rc}: {self._said()}")
            if self._agent.rc == TOO_FULL:
                self._start_agent()
            if time.monotonic() > until:
                raise TimeoutError(f"not all was acknowledged: {self._said()}")
            time.sleep(POLL_SECONDS)

    def _said(self) -> str:
        logs = ("agent.log", "controller.log")
        return "\n".join((self._directory / log).read_text(errors="replace")[-3000:] for log in logs)

    # --- the verdict -------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        with sqlite3.connect(self._directory / "controller/fleet.db") as database:
            rows = database.execute(
                "SELECT epoch, sequence, payload FROM events WHERE kind = 'note'"
            ).fetchall()
            every = database.execute("SELECT epoch, sequence FROM events").fetchall()
            gaps = database.execute("SELECT epoch, first, last FROM gaps").fetchall()
        database.close()
        arrived: dict[int, list[tuple[int, int]]] = {}  # number -> names
        for epoch, sequence, payload in rows:
            number = int(re.search(rb'"text":"(\d+)"', payload)[1])  # type: ignore[index]  # all notes have one
            arrived.setdefault(number, []).append((epoch, sequence))
        self._verdict.twice = sorted(number for number, names in arrived.items() if len(names) > 1)
        self._verdict.untrue = [
            f"{gap}" for gap in gaps if any(e == gap[0] and gap[1] <= s <= gap[2] for e, s in every)
        ]
        for epoch, numbers in self._told().items():
            self._compare(epoch, numbers, arrived, [gap[1:] for gap in gaps if gap[0] == epoch])

    def _compare(
        self,
        epoch: int,
        numbers: list[int],
        arrived: dict[int, list[tuple[int, int]]],
        gaps: list[tuple[int, int]],
    ) -> None:
        """Within one epoch the sequence of a number is its place among the told ones, plus what was said before them."""
        shifts = {names[0][1] - place for place, n in enumerate(numbers) if (names := arrived.get(n))}
        for place, number in enumerate(numbers):
            self._verdict.told += 1
            if number in arrived:
                self._verdict.once += len(arrived[number]) == 1
            elif any(first <= place + shift <= last for shift in shifts or {1} for first, last in gaps):
                self._verdict.in_gaps += 1
            else:
                self._verdict.missing.append(number)

    def _told(self) -> dict[int, list[int]]:
        """Return the numbers that were told for certain, by the epoch they were told in."""
        told: dict[int, list[int]] = {}
        epoch = 0
        for line in self._ledger.read_text().splitlines():
            word, *numbers = line.split()
            if word == "epoch":
                epoch = int(numbers[0])
            elif word == "told":
                told.setdefault(epoch, []).extend(range(int(numbers[0]), int(numbers[1]) + 1))
        return told


def small_disk(place: Path, megabytes: int) -> None:
    """Put a file system of that size at `place`; raises CalledProcessError where that is not allowed."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True)


def remove_disk(place: Path) -> None:
    """Take it away again."""
    subprocess.run(["umount", str(place)], check=True)


def is_allowed() -> bool:
    """Whether file systems can be mounted here."""
    return os.geteuid() == 0
