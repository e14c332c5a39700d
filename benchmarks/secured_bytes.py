"""How many bytes a day an idle node puts on its line once it has enrolled: as `link_bytes`, but by mTLS.

Agent and broker speak over a network namespace in which nothing else is said: a line leads from its loopback to the embedded
broker outside, byte for byte, and another one to the listener where the agent got its certificate before anything is
counted.
"""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.settings import Settings
from benchmarks.figure import Figure, Skipped
from benchmarks.ground import Ground, tell
from benchmarks.link_bytes import CALL_SECONDS, DAY, KB, POINT_SECONDS
from benchmarks.linked import SCENARIO, missing
from benchmarks.parts import archipel, end, until
from tests.demo.fleet import Fleet
from tests.hosts.line import Line

TOGETHER = 12  # points for which there is one acknowledgement
COUNTED = re.compile(r'^archipel_fleet_messages_total\{type="(\w+)"\} ([\d.e+]+)', re.M)
WHERE = (
    "rehearsed agent with a certificate, the real controller with its embedded broker (nats-server), TLS 1.3 with "
    "certificates on both sides; uncompressed IPv4 on a loopback of its own with packets of at most 1,500 bytes; bytes of "
    "IP packets in both directions as the interface counts them, no other traffic on it"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """The counters at one moment."""

    bytes: int
    packets: int
    metrics: int
    hellos: int


class SecuredLine:
    """A fleet, and an agent in a namespace that has enrolled with it."""

    def __init__(self, directory: Path, fleet: Fleet, space: int, *options: str) -> None:
        self._directory, self._fleet, self._space, self._options = directory, fleet, space, options
        self._root = directory / "agent"
        self._environment = {**os.environ, "ARCHIPEL_ROOT": str(self._root)}
        self._agent: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start the agent, make it a site, and have it enrol."""
        self._root.mkdir()
        (self._directory / "scenario.toml").write_text(SCENARIO)
        self.start_agent()
        self._asked("up")
        self._asked("enrol", self._fleet.invitation())

    def start_agent(self) -> None:
        """Start the agent, again if it runs."""
        if self._agent is not None:
            end(self._agent)
        words = ["agent", "run", "--rehearse", str(self._directory / "scenario.toml"), *self._options]
        with (self._directory / "agent.out").open("ab") as out:
            self._agent = subprocess.Popen(
                ["nsenter", "--net", "--target", str(self._space), archipel(), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._environment,
                start_new_session=True,
            )
        socket = self._root / "run/archipel/agent.sock"
        until(lambda: socket.exists() and self._answers(), "agent", self._directory)

    def close(self) -> None:
        """End the agent."""
        if self._agent is not None:
            end(self._agent)

    def _answers(self) -> bool:
        return self._run("agent", "status").returncode == 0

    def _asked(self, *words: str) -> None:
        done = self._run(*words)
        if done.returncode:
            raise RuntimeError(f"archipel {words[0]}: {done.stdout[-300:]} {done.stderr[-500:]}")

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [archipel(), *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def seen(self) -> Seen:
        """Return the counters now. Loopback counts each packet once as received, headers from IP upwards."""
        shown = subprocess.run(
            ["nsenter", "--net", "--target", str(self._space), "cat", "/proc/net/dev"],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        ).stdout
        fields = next(line for line in shown.splitlines() if line.strip().startswith("lo:")).split()
        counts = {kind: int(float(count)) for kind, count in COUNTED.findall(self._fleet.measures())}
        return Seen(int(fields[1]), int(fields[2]), counts.get("metrics", 0), counts.get("hello", 0))

    def after(self, field: str, count: int, seconds: float) -> Seen:
        """Wait until a counter has grown by `count` and what follows is over; return the counters then."""
        wanted = getattr(self.seen(), field) + count
        deadline = time.monotonic() + seconds
        while getattr(self.seen(), field) < wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the agent said too little in {seconds:.0f} s; see {self._directory}")
            time.sleep(0.1)
        time.sleep(1.0)
        return self.seen()


def always_on(ground: Ground) -> Figure:
    """Measure points and one start; raise Skipped."""
    rounds = 2 if ground.quick else 5
    with _line("--metrics-every", str(POINT_SECONDS), "--interval", "1") as line:
        tell(f"{rounds * TOGETHER} points over a secured link that is always on")
        line.after("metrics", TOGETHER + 2, 120)
        before = line.seen()
        after = line.after("metrics", rounds * TOGETHER, rounds * TOGETHER * POINT_SECONDS * 2 + 60)
        point = (after.bytes - before.bytes) / (after.metrics - before.metrics)
        begun = line.seen()
        line.start_agent()
        ended = line.after("metrics", 5, 120)
        whole = ended.bytes - begun.bytes - (ended.metrics - begun.metrics) * point
    points = DAY / Settings().metrics_every
    return Figure(
        name="secured-bytes",
        title="bytes a day of an idle node with mTLS, always on, metrics every 5 minutes",
        unit="kB",
        values=((points * point + whole) / KB,),
        bound=150.0,
        method=(
            f"{points:.0f} points of {point:.0f} bytes, one acknowledgement for {TOGETHER} of them, and one start of the "
            f"agent with its whole state; the mean of {after.metrics - before.metrics} points {POINT_SECONDS} s apart. "
            f"{WHERE}."
        ),
        details=(
            f"a start of the agent with handshake, hello, events and the whole state {whole:.0f} bytes",
            f"{(after.packets - before.packets) / (after.metrics - before.metrics):.1f} packets a point",
        ),
    )


def dial_in(ground: Ground) -> Figure:
    """Measure whole calls; raise Skipped."""
    count = 3 if ground.quick else 8
    options = ("--link-mode", "dial-in", "--link-every", str(CALL_SECONDS))
    with _line(*options, "--metrics-every", str(POINT_SECONDS), "--interval", "1") as line:
        tell(f"{count} calls of a node that dials in by mTLS")
        line.after("hellos", 2, 10 * CALL_SECONDS)
        time.sleep(5)
        before = line.seen()
        after = line.after("hellos", count, (count + 3) * 2 * CALL_SECONDS)
        time.sleep(5)
        after = line.seen()
    call = (after.bytes - before.bytes) / (after.hellos - before.hellos)
    calls = DAY / Settings().link_every
    return Figure(
        name="secured-bytes-dial-in",
        title="bytes a day of an idle node with mTLS that dials in every hour, with its samples of the hour",
        unit="kB",
        values=(calls * call / KB,),
        bound=50.0,
        method=(
            f"{calls:.0f} calls of {call:.0f} bytes, from the first packet to the last, a whole handshake in each; the mean "
            f"of {after.hellos - before.hellos} calls {CALL_SECONDS} s apart with points every {POINT_SECONDS} s. {WHERE}."
        ),
        details=(f"{(after.packets - before.packets) / (after.hellos - before.hellos):.1f} packets a call",),
    )


@contextlib.contextmanager
def _line(*options: str) -> Iterator[SecuredLine]:
    why_not = missing()
    if why_not:
        raise Skipped(why_not)
    with contextlib.ExitStack() as undo:
        place = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="archipel-secured-")))
        fleet = Fleet()
        undo.callback(fleet.close)
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
        undo.callback(end, holder)
        until(
            lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"),
            "namespace",
            place,
        )
        # Packets as small as on an Ethernet: loopback's own are 64 KiB and hide headers.
        enter = ["nsenter", "--net", "--target", str(holder.pid)]
        subprocess.run(
            [*enter, "ip", "link", "set", "lo", "mtu", "1500", "gso_max_segs", "1", "up"], check=True
        )
        for port in fleet.ports:
            line = Line(holder.pid, port, port)
            undo.callback(line.close)
        made = SecuredLine(place, fleet, holder.pid, *options)
        undo.callback(made.close)
        made.begin()
        yield made
