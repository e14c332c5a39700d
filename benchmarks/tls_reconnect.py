"""How a fleet comes back to its broker over mTLS: 2,000 real connections, and 10,000 in a model that is held against them.

The broker is nats-server as the controller embeds it, pinned to one core; the clients are on the others.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from archipel_contract.trust.keys import new_device_key, to_pem
from archipel_fleet.link.connection import NODES_A_SECOND
from benchmarks import returning
from benchmarks.figure import Figure, Skipped
from benchmarks.ground import Ground, tell
from tests.brokers.guarded import GuardedNats, Pki

REAL = 2000
FLEET = 10_000
BOUND_SECONDS = 75.0
PATIENCE = 30.0  # seconds a node waits for its connection, as the link does
BROKER_CORE = 0
PROCESSES = 2
TICKS = os.sysconf("SC_CLK_TCK")
# The model may be so far from what 2,000 real connections did; else it proves nothing about 10,000.
MODEL_FACTOR, MODEL_SECONDS = 1.25, 3.0


class _Seen:
    def __init__(self, count: int) -> None:
        self.count = count
        self.seconds = self.longest = self.cpu_seconds = 0.0
        self.client_seconds = 0.0
        self.failures: list[str] = []

    @property
    def per_second(self) -> float:
        """Handshakes that one core of broker does in a second, by the CPU time it took for them."""
        return self.count / self.cpu_seconds

    @property
    def spread(self) -> float:
        """Over how long the controller asks so many to spread."""
        return self.count / NODES_A_SECOND


def failed(ground: Ground) -> Figure:
    """Count the failures among real connections; raise Skipped."""
    seen = _measured(200 if ground.quick else REAL)
    return Figure(
        name="tls-reconnect",
        title=f"failed handshakes while {seen.count} clients with certificates come back",
        unit="failures",
        values=(float(len(seen.failures)),),
        bound=0.0,
        method=(
            f"{seen.count} real connections, each with TLS 1.3, a P-256 certificate of its own and MQTT CONNECT, spread "
            f"over {seen.spread:.0f} s as the controller asks for so many; nats-server pinned to one core, clients on others"
        ),
        details=(
            f"{seen.per_second:.0f} handshakes for each second of the broker's CPU; all back after {seen.seconds:.1f} s, "
            f"the slowest within {seen.longest:.2f} s",
            f"the clients took {seen.client_seconds:.1f} s of CPU, contexts made before included",
        ),
    )


def back(ground: Ground) -> Figure:
    """Tell when 10,000 would be back; raise Skipped, and RuntimeError where the model does not fit what was measured."""
    seen = _measured(200 if ground.quick else REAL)
    small = returning.model(seen.count, seen.per_second, seen.spread, PATIENCE)
    if small.failed or seen.seconds > small.seconds * MODEL_FACTOR + MODEL_SECONDS:
        raise RuntimeError(
            f"the model has {seen.count} clients back after {small.seconds:.1f} s, real ones took {seen.seconds:.1f} s"
        )
    large = returning.model(FLEET, seen.per_second, FLEET / NODES_A_SECOND, PATIENCE)
    if large.failed:
        raise RuntimeError(f"{large.failed} handshakes of {FLEET} clients fail in the model")
    return Figure(
        name="tls-return",
        title=f"{FLEET:,} clients with certificates are all back at a broker with one core",
        unit="s",
        values=(large.seconds,),
        bound=BOUND_SECONDS,
        method=(
            f"a model in virtual time with the agent's own schedule and a queue at the broker, fed with the "
            f"{seen.per_second:.0f} handshakes a second that {seen.count} real connections showed"
        ),
        details=(
            f"0 failed handshakes, the longest wait {large.longest_wait:.2f} s",
            f"held against the real ones: {small.seconds:.1f} s in the model, {seen.seconds:.1f} s measured",
        ),
    )


@cache
def _measured(count: int) -> _Seen:
    if missing := GuardedNats.missing():
        raise Skipped(missing)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Skipped("it takes a core for the broker and one for the clients")
    names = [f"n-{number:016d}" for number in range(count)]
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        (directory / "pki").mkdir()
        pki = Pki(directory / "pki")
        tell(f"{count} certificates")
        _issue(pki, names)
        with GuardedNats(directory, pki, tuple(names), websocket=False) as broker:
            for task in Path(f"/proc/{broker.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {cores[BROKER_CORE]})
            os.sched_setaffinity(broker.pid, {cores[BROKER_CORE]})
            return _come_back(broker, directory / "pki", count, set(cores[BROKER_CORE + 1 :]))


def _issue(pki: Pki, names: list[str]) -> None:
    now = datetime.now(UTC)
    (pki.directory / "ca.pem").write_bytes(pki.authority.pem)
    for name in names:
        key = new_device_key()
        made = pki.authority.device(name, key.public_key(), now)
        (pki.directory / f"{name}.pem").write_bytes(made.pem + to_pem(key))


def _come_back(broker: GuardedNats, directory: Path, count: int, cores: set[int]) -> _Seen:
    seen, share = _Seen(count), count // PROCESSES
    crowds = []
    tell(f"{count} clients come back within {seen.spread:.0f} s")
    for number in range(PROCESSES):
        words = (broker.port, directory, number * share, share, seen.spread, number, PATIENCE)
        crowds.append(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.handshakes", *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        os.sched_setaffinity(crowds[-1].pid, cores)
    try:
        for one in crowds:
            assert one.stdout is not None
            if one.stdout.readline() != "ready\n":
                raise RuntimeError("a process of clients did not start")
        before = _cpu(broker.pid)
        for one in crowds:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        for one in crowds:
            assert one.stdout is not None
            for said in json.loads(one.stdout.readline()):
                seen.seconds, seen.longest = max(seen.seconds, said["at"]), max(seen.longest, said["took"])
                if said["failed"]:
                    seen.failures.append(said["failed"])
        seen.cpu_seconds = _cpu(broker.pid) - before
        seen.client_seconds = sum(_cpu(one.pid) for one in crowds)
    finally:
        for one in crowds:
            one.kill()
            one.communicate()
    return seen


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
