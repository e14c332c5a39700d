"""The idle agent with a link that stands: processor time and memory, and what the link adds to both."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from archipel_agent.settings import Settings
from benchmarks import idle_cpu
from benchmarks.figure import Figure, Skipped, percent_of_core
from benchmarks.ground import PLACE, SETTLE_SECONDS, Ground, tell
from benchmarks.idle import Idle, closer_look, idle, window_of
from benchmarks.idle_memory import KIB_IN_MIB
from benchmarks.parts import controller
from tests.brokers.servers import MosquittoBroker
from tests.hosts.booted import BootedHost

PORT = 1883
SOCKET = "/run/broker.sock"
SETTINGS = "/etc/archipel/agent.toml"
CONNECT_SECONDS = 90.0
POINT = Settings().metrics_every  # the window holds as many points as it should
WHERE = "with an always-on link to mosquitto and the real controller, both outside the host"


def cpu(ground: Ground) -> Figure:
    """Measure; raise Skipped."""
    window, look = _windows(ground), closer_look(ground)
    own, looks, children = idle_cpu.shares(window.linked, look)
    alone = percent_of_core(window.alone.seen["cpu_ns"], window.alone.seconds)
    return Figure(
        name="link-cpu",
        title="CPU time of the idle agent with its link, helpers included",
        unit="% of a core",
        values=(own + children + looks,),
        bound=0.05,
        method=(
            f"as `idle-cpu`, {WHERE}; {window.linked.where}, {window.linked.seconds / POINT:.1f} of the points that are due "
            f"every {POINT:.0f} s."
        ),
        details=(
            f"turns and link {own:.4f} % (without a link {alone:.4f} %), children {children:.4f} %, "
            f"closer looks {looks:.4f} %",
            f"{window.linked.seen['switches'] / window.linked.seconds:.2f} context switches a second",
        ),
    )


def memory(ground: Ground) -> Figure:
    """Measure; raise Skipped."""
    window = _windows(ground)
    held, alone = window.linked.seen["memory_kib"], window.alone.seen["memory_kib"]
    return Figure(
        name="link-memory",
        title="resident memory of the agent's main process with its link",
        unit="MiB",
        values=(held["VmRSS"] / KIB_IN_MIB,),
        bound=42.0,
        method=f"as `idle-memory`, {WHERE}; {window.linked.where}.",
        details=(
            f"anonymous {held['RssAnon'] / KIB_IN_MIB:.1f} MiB, the most ever {held['VmHWM'] / KIB_IN_MIB:.1f} MiB, "
            f"{window.linked.seen['threads']} threads; without a link {alone['VmRSS'] / KIB_IN_MIB:.1f} MiB",
        ),
    )


@dataclass(frozen=True)
class _Windows:
    """The same agent without and with a link."""

    alone: Idle
    linked: Idle


def _windows(ground: Ground) -> _Windows:
    why_not = MosquittoBroker.missing()
    if why_not:
        raise Skipped(why_not)
    alone = idle(ground)
    closer_look(ground)
    return _Windows(alone, _linked(ground.site(), ground.window() if ground.quick else POINT))


@cache
def _linked(host: BootedHost, seconds: float) -> Idle:
    """Give the agent a broker, watch it, and take the broker away again."""
    with tempfile.TemporaryDirectory(prefix="archipel-link-") as place, _fleet(host, Path(place)):
        host.put(f'broker = "mqtt://127.0.0.1:{PORT}"\n'.encode(), SETTINGS)
        try:
            host.run(["systemctl", "restart", "archipel-agent"]).ok()
            await_link(host)
            time.sleep(SETTLE_SECONDS)
            tell(f"watching the agent with its link for {seconds:.0f} s")
            return window_of(host, seconds)
        finally:
            host.run(["rm", "-f", SETTINGS]).ok()
            host.run(["systemctl", "restart", "archipel-agent"]).ok()


@contextlib.contextmanager
def _fleet(host: BootedHost, place: Path) -> Iterator[None]:
    extra = f"listener 0 {host.outside(SOCKET)}\nallow_anonymous true\n"
    with MosquittoBroker(place, extra=extra) as broker, controller(place, broker.port):
        relay = host.spawn(["python3", f"{PLACE}/relay.py", str(PORT), SOCKET])
        try:
            yield
        finally:
            relay.stop()


def await_link(host: BootedHost) -> None:
    """Wait until the agent says that its link stands; raise RuntimeError."""
    deadline, shown = time.monotonic() + CONNECT_SECONDS, ""
    while time.monotonic() < deadline:
        shown = host.run(["archipel", "status", "--json"]).stdout
        with contextlib.suppress(ValueError, KeyError):
            if json.loads(shown)["link"]["state"] == "connected":
                return
        time.sleep(1.0)
    raise RuntimeError(f"the link did not come about: {shown[-300:]}")
