"""A rehearsed agent with its fleet, for the figures of the link: the agent and its broker alone in a network namespace.

The controller must not be counted and may not leave loopback either. So mosquitto has a second listener on a Unix socket, to
which a relay outside the namespace leads the controller: on the namespace's loopback is what agent and broker say to one
another, and nothing else. Its packets are kept as small as on an Ethernet.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from archipel_fleet.link import broker_mosquitto
from benchmarks.figure import Skipped
from benchmarks.parts import archipel, controller, end, relay, until
from tests.brokers.servers import MosquittoBroker

PORT = 1883
SETTLED_SECONDS = 1.0  # an acknowledgement is committed and back well within
SCENARIO = "pace = 0.1\n"  # k3s starts ten times as fast as recorded; nothing else differs
PUBLISHED = re.compile(
    r"Received PUBLISH from n-\S+ \(.*'(archipel/1/[^']+/up/(\w+))', \.\.\. \((\d+) bytes\)\)"
)
CONNECTED = re.compile(r"New client connected from \S+ as n-")
HUNG_UP = re.compile(r"Client n-\S+ (?:closed its connection|disconnected)")


def missing() -> str | None:
    """Return why this cannot be done here."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return "a network namespace needs root, unshare, nsenter and ip"
    return MosquittoBroker.missing() or None


@dataclass(frozen=True, slots=True)
class Seen:
    """The counters at one moment."""

    bytes: int
    packets: int
    metrics: int  # messages of each kind that the broker has taken from the agent
    connects: int
    calls: int  # connections that were opened and closed again


class Linked:
    """Broker, controller and agent; `with` starts and ends them."""

    def __init__(self, directory: Path, *options: str) -> None:
        """`options` go to `archipel agent run`."""
        self._directory = directory
        self._options = options
        self._open = contextlib.ExitStack()
        self._log = directory / "broker.log"
        self._root = directory / "agent"
        self._environment = {**os.environ, "ARCHIPEL_ROOT": str(self._root)}
        self._place = directory / "unknown"
        self._space = 0
        self._broker: subprocess.Popen[bytes] | None = None
        self._agent: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Linked":
        try:
            self._begin()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _begin(self) -> None:
        why_not = missing()
        if why_not:
            raise Skipped(why_not)
        holder = self._started(["unshare", "--net", "sleep", "infinity"], "space")
        self._space = holder.pid
        self._until(
            lambda: os.readlink(f"/proc/{self._space}/ns/net") != os.readlink("/proc/self/ns/net"),
            "namespace",
        )
        # Packets as small as on an Ethernet: loopback's own are 64 KiB and hide headers.
        self._inside(["ip", "link", "set", "lo", "mtu", "1500", "gso_max_segs", "1", "up"])
        self._place = Path(self._open.enter_context(_short_directory())) / "broker.sock"
        self._start_broker()
        port = self._open.enter_context(relay(self._place))
        self._open.enter_context(controller(self._directory, port))
        self._root.mkdir()
        (self._directory / "scenario.toml").write_text(SCENARIO)
        self._start_agent()
        done = self._asked("up")
        if done.returncode:
            raise RuntimeError(f"archipel up: {done.stdout[-500:]}")
        self._until(lambda: self._asked("status").returncode == 0, "healthy site")

    def _start_agent(self) -> None:
        words = ["agent", "run", "--rehearse", str(self._directory / "scenario.toml"), *self._options]
        argv = [*self._enter, archipel(), *words, "--broker", f"mqtt://127.0.0.1:{PORT}"]
        self._agent = self._started(argv, "agent")
        self._until(lambda: self._asked("agent", "status").returncode == 0, "agent")

    def restart_agent(self) -> None:
        """End the agent in order and start it again."""
        assert self._agent is not None  # started with the rest
        end(self._agent)
        self._start_agent()

    def restart_broker(self) -> None:
        """End the broker in order and start it again; the agent's connection breaks."""
        assert self._broker is not None  # started with the rest
        end(self._broker)
        self._place.unlink(missing_ok=True)
        self._start_broker()

    def _start_broker(self) -> None:
        """Start mosquitto with its two listeners and a log that names every message."""
        configuration = self._directory / "broker.conf"
        extra = f"listener 0 {self._place}\nallow_anonymous true\nlog_type all\nlog_dest file {self._log}\n"
        configuration.write_text(broker_mosquitto.plain(PORT, self._directory, "root") + extra)
        program = MosquittoBroker.program()
        self._broker = self._started([*self._enter, str(program), "-c", str(configuration)], "mosquitto")
        self._until(self._place.exists, "broker")

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", "--net", "--target", str(self._space)]

    def _inside(self, argv: list[str]) -> str:
        return subprocess.run(
            [*self._enter, *argv], check=True, capture_output=True, text=True, timeout=10
        ).stdout

    def _asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [archipel(), *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _started(self, argv: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self._directory / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._environment,
                start_new_session=True,
            )
        self._open.callback(end, process)
        return process

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        until(holds, what, self._directory)

    def seen(self) -> Seen:
        """Return the counters now. Loopback counts each packet once as received, headers from IP upwards."""
        shown = self._inside(["cat", "/proc/net/dev"])
        fields = next(line for line in shown.splitlines() if line.strip().startswith("lo:")).split()
        log = self._log.read_text(errors="replace")
        kinds = [match[2] for match in PUBLISHED.finditer(log)]
        return Seen(
            bytes=int(fields[1]),
            packets=int(fields[2]),
            metrics=kinds.count("metric"),
            connects=len(CONNECTED.findall(log)),
            calls=len(HUNG_UP.findall(log)),
        )

    def quiet(self, changes: Callable[[Seen], int], count: int, seconds: float) -> Seen:
        """Wait until `changes` has grown by `count`, and what follows is over; return the counters then."""
        wanted = changes(self.seen()) + count
        deadline = time.monotonic() + seconds
        while changes(self.seen()) < wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the agent said too little in {seconds:.0f} s; see {self._directory}")
            time.sleep(0.05)
        time.sleep(SETTLED_SECONDS)
        return self.seen()


@contextlib.contextmanager
def _short_directory() -> Iterator[str]:
    """A directory whose name leaves room for a Unix socket's."""
    place = Path(f"/run/archipel-bench-{os.getpid()}")
    place.mkdir(mode=0o700)
    try:
        yield str(place)
    finally:
        shutil.rmtree(place)
