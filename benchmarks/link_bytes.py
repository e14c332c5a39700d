"""How many bytes a day an idle node puts on its line, in both link modes, headers of IP and TCP included.

Agent and broker speak over a network namespace in which nothing else is said: a line leads from its loopback to the embedded
broker outside, byte for byte, and another one to the listener where the agent got its certificate before anything is
counted. For comparison the same without certificates.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.settings import Settings
from benchmarks.figure import Figure, Skipped
from benchmarks.fleet_stage import Served, serving
from benchmarks.ground import Ground, tell
from benchmarks.parts import archipel, end, until
from tests.hosts.line import Line

DAY = 86_400
KB = 1000
POINT_SECONDS = 3  # between two points, instead of five minutes
CALL_SECONDS = 36  # between two calls, instead of an hour: twelve points as there
SETTLING_POINTS = 5  # after which a connection has said all it has to say
SCENARIO = "pace = 0.1\n"  # k3s starts ten times as fast as recorded; nothing else differs
DIAL_IN = ("--link-mode", "dial-in", "--link-every", str(CALL_SECONDS))
TOGETHER = 12  # points for which there is one acknowledgement
COUNTED = re.compile(r'^archipel_fleet_messages_total\{type="(\w+)"\} ([\d.e+]+)', re.M)


@dataclass(frozen=True, slots=True)
class Seen:
    """The counters at one moment."""

    bytes: int
    packets: int
    metrics: int
    hellos: int


def without_points(before: Seen, after: Seen, point: float) -> float:
    """Return the bytes between two moments, less those of the points that were sent meanwhile."""
    return after.bytes - before.bytes - (after.metrics - before.metrics) * point


def counters(measures: str) -> dict[str, int]:
    """Return how many messages of each kind a controller has taken in, by what it shows to Prometheus."""
    return {kind: int(float(count)) for kind, count in COUNTED.findall(measures)}


class MeasuredLine:
    """A controller, and an agent in a namespace that is linked with it."""

    def __init__(
        self, directory: Path, served: Served, space: int, lines: Sequence[Line], *options: str, plain: bool
    ) -> None:
        self._directory, self._served, self._space, self._plain = directory, served, space, plain
        way = ("--broker", f"mqtt://127.0.0.1:{served.port}") if plain else ()
        self._options = (*options, *way)
        self._lines = lines
        self._root = directory / "agent"
        self._environment = {**os.environ, "ARCHIPEL_ROOT": str(self._root)}
        self._agent: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start the agent, make it a site, and have it enrol."""
        self._root.mkdir()
        (self._directory / "scenario.toml").write_text(SCENARIO)
        self.start_agent()
        self._asked("up")
        if not self._plain:
            self._asked("enrol", self._served.invitation())

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
        counts = counters(self._served.measures())
        return Seen(int(fields[1]), int(fields[2]), counts.get("metrics", 0), counts.get("hello", 0))

    def cut(self) -> None:
        """End the connections that stand, aloud; new ones come through."""
        for one in self._lines:
            one.cut()
            one.heal()

    def handshake(self) -> int:
        """Connect to the broker with the device's certificate, say nothing, and return the bytes that took."""
        if self._agent is not None:
            end(self._agent)
            self._agent = None
        time.sleep(1.0)
        before = self.seen().bytes
        words = [
            sys.executable,
            "-m",
            "benchmarks.guest.handshake",
            str(self._root),
            str(self._served.port),
        ]
        subprocess.run(
            ["nsenter", "--net", "--target", str(self._space), *words],
            check=True,
            timeout=30,
            capture_output=True,
        )
        time.sleep(1.0)
        return self.seen().bytes - before

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
    return _always_on(ground, plain=False)


def always_on_plain(ground: Ground) -> Figure:
    """The same without certificates."""
    return _always_on(ground, plain=True)


def dial_in(ground: Ground) -> Figure:
    """Measure calls on a line that is kept, and what making another takes; raise Skipped."""
    return _dial_in(ground, plain=False)


def dial_in_plain(ground: Ground) -> Figure:
    """The same without certificates."""
    return _dial_in(ground, plain=True)


def hung_up(ground: Ground) -> Figure:
    """Measure whole calls where no line is kept, and the least that any could cost; raise Skipped."""
    count = 3 if ground.quick else 8
    options = (*DIAL_IN, "--link-hold", "never")
    with _line(*options, "--metrics-every", str(POINT_SECONDS), "--interval", "1", plain=False) as line:
        tell(f"{count} calls of a node that dials in by mTLS and hangs up")
        _between_calls(line)
        before = line.seen()
        time.sleep(count * CALL_SECONDS)
        after = line.seen()
        floor = line.handshake()
    call = (after.bytes - before.bytes) / (after.hellos - before.hellos)
    calls = DAY / Settings().link_every
    return Figure(
        name="link-bytes-hung-up",
        title="the same on a way that drops silent lines: hanging up after each call",
        unit="kB",
        values=(calls * call / KB,),
        bound=160.0,
        method=(
            f"{calls:.0f} calls of {call:.0f} bytes, from the first packet to the last, a whole handshake in each; the mean "
            f"of {after.hellos - before.hellos} calls {CALL_SECONDS} s apart with points every {POINT_SECONDS} s. "
            f"{_where(plain=False)}."
        ),
        details=(
            f"{(after.packets - before.packets) / (after.hellos - before.hellos):.1f} packets a call",
            f"TCP and TLS alone, with both certificates and nothing said, {floor} bytes a connection: "
            f"{calls * floor / KB:.0f} kB a day",
        ),
    )


def _always_on(ground: Ground, plain: bool) -> Figure:
    rounds = 2 if ground.quick else 5
    with _line("--metrics-every", str(POINT_SECONDS), "--interval", "1", plain=plain) as line:
        tell(f"{rounds * TOGETHER} points over a link that is always on, {_over(plain)}")
        line.after("metrics", TOGETHER + 2, 120)
        before = line.seen()
        after = line.after("metrics", rounds * TOGETHER, rounds * TOGETHER * POINT_SECONDS * 2 + 60)
        point = (after.bytes - before.bytes) / (after.metrics - before.metrics)
        begun = line.seen()
        line.start_agent()
        whole = without_points(begun, line.after("metrics", SETTLING_POINTS, 120), point)
    points = DAY / Settings().metrics_every
    return Figure(
        name=f"link-bytes{_ending(plain)}",
        title=f"bytes a day of an idle node, always on, metrics every 5 minutes, {_over(plain)}",
        unit="kB",
        values=((points * point + whole) / KB,),
        bound=150.0,
        method=(
            f"{points:.0f} points of {point:.0f} bytes, one acknowledgement for {TOGETHER} of them, and one start of the "
            f"agent with its whole state; the mean of {after.metrics - before.metrics} points {POINT_SECONDS} s apart. "
            f"{_where(plain)}."
        ),
        details=(
            f"a start of the agent with handshake, hello, events and the whole state {whole:.0f} bytes",
            f"{(after.packets - before.packets) / (after.metrics - before.metrics):.1f} packets a point",
        ),
    )


def _dial_in(ground: Ground, plain: bool) -> Figure:
    count = 3 if ground.quick else 8
    with _line(*DIAL_IN, "--metrics-every", str(POINT_SECONDS), "--interval", "1", plain=plain) as line:
        tell(f"{count} calls of a node that dials in on one line, {_over(plain)}")
        _between_calls(line)
        before = line.seen()
        time.sleep(count * CALL_SECONDS)
        after = line.seen()
        if after.hellos != before.hellos:
            raise RuntimeError("the line was not kept")
        call = (after.bytes - before.bytes) / count
        tell("the line is cut once")
        line.cut()
        time.sleep(CALL_SECONDS)
        again = line.seen()
        if again.hellos != after.hellos + 1:
            raise RuntimeError("the line was not made anew")
    whole = again.bytes - after.bytes
    calls = DAY / Settings().link_every
    return Figure(
        name=f"link-bytes-dial-in{_ending(plain)}",
        title=f"bytes a day of an idle node that dials in every hour, with its samples of the hour, {_over(plain)}",
        unit="kB",
        values=(((calls - 1) * call + whole) / KB,),
        bound=50.0,
        method=(
            f"{calls - 1:.0f} calls of {call:.0f} bytes on a line that is kept in silence, and the one a day that makes it "
            f"anew, with a whole handshake, {whole} bytes; the mean of {count} calls {CALL_SECONDS} s apart with points "
            f"every {POINT_SECONDS} s. {_where(plain)}."
        ),
        details=(f"{(after.packets - before.packets) / count:.1f} packets a call",),
    )


def _between_calls(line: MeasuredLine) -> None:
    """Wait until a call is over: so what follows are whole periods."""
    line.after("metrics", 2, 10 * CALL_SECONDS)
    time.sleep(CALL_SECONDS)
    line.after("metrics", 1, 2 * CALL_SECONDS)
    time.sleep(6)


def _ending(plain: bool) -> str:
    return "-plain" if plain else ""


def _over(plain: bool) -> str:
    return "without certificates" if plain else "over mTLS"


def _where(plain: bool) -> str:
    how = "without certificates" if plain else "with a certificate, TLS 1.3 with certificates on both sides"
    return (
        f"rehearsed agent {how}; the real controller with its embedded broker (nats-server); uncompressed IPv4 on a "
        "loopback of its own with packets of at most 1,500 bytes; bytes of IP packets in both directions as the interface "
        "counts them, no other traffic on it"
    )


@contextlib.contextmanager
def _line(*options: str, plain: bool) -> Iterator[MeasuredLine]:
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        raise Skipped("a network namespace needs root, unshare, nsenter and ip")
    with contextlib.ExitStack() as undo:
        place = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="archipel-line-")))
        served = undo.enter_context(serving(place, plain))
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
        lines = []
        for port in (served.port,) if plain else (served.port, served.enrol_port):
            lines.append(Line(holder.pid, port, port))
            undo.callback(lines[-1].close)
        made = MeasuredLine(place, served, holder.pid, lines, *options, plain=plain)
        undo.callback(made.close)
        made.begin()
        yield made
