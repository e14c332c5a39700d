"""The idle agent that has enrolled: CPU and memory with its identity, a link by mTLS to the embedded broker, verification.

The controller runs outside the host with its own broker and listener, as from its first start; both are led into the host's
loopback over Unix sockets, because a test host speaks to nobody else.
"""

import contextlib
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks import idle_cpu
from benchmarks.figure import Figure, percent_of_core
from benchmarks.ground import PLACE, SETTLE_SECONDS, Ground, tell
from benchmarks.idle import Idle, closer_look, idle, window_of
from benchmarks.idle_linked import POINT, await_link
from benchmarks.idle_memory import KIB_IN_MIB
from benchmarks.parts import archipel, end, pump, until
from tests.brokers.servers import free_port
from tests.hosts.booted import BootedHost

IDENTITY = "/var/lib/archipel/identity"
LINK = re.compile(r"https://\S+/#\S+")
ORDERS = 5  # that are verified and done before the window


def cpu(ground: Ground) -> Figure:
    """Measure; raise Skipped."""
    alone, held, look = idle(ground), _window(ground), closer_look(ground)
    own, looks, children = idle_cpu.shares(held, look)
    before = percent_of_core(alone.seen["cpu_ns"], alone.seconds)
    return Figure(
        name="identity-cpu",
        title="CPU time of the idle agent with identity and its link by mTLS, helpers included",
        unit="% of a core",
        values=(own + children + looks,),
        bound=0.05,
        method=(
            "as `idle-cpu`, enrolled with the real controller outside the host, always-on link by mTLS to its embedded "
            f"broker; {held.where}, {held.seconds / POINT:.1f} of the points that are due every {POINT:.0f} s."
        ),
        details=(
            f"turns and link {own:.4f} % (without a fleet {before:.4f} %), children {children:.4f} %, "
            f"closer looks {looks:.4f} %",
        ),
    )


def memory(ground: Ground) -> Figure:
    """Measure; raise Skipped."""
    alone, held = idle(ground), _window(ground)
    kib, before = held.seen["memory_kib"], alone.seen["memory_kib"]
    return Figure(
        name="identity-memory",
        title="resident memory of the agent's main process with identity, link by mTLS and verification",
        unit="MiB",
        values=(kib["VmRSS"] / KIB_IN_MIB,),
        bound=50.0,
        method=(
            "as `idle-memory`, enrolled with the real controller outside the host and started anew since, always-on link by "
            f"mTLS to its embedded broker, after {ORDERS} orders were verified and done; {held.where}."
        ),
        details=(
            f"anonymous {kib['RssAnon'] / KIB_IN_MIB:.1f} MiB, the most ever {kib['VmHWM'] / KIB_IN_MIB:.1f} MiB, "
            f"{held.seen['threads']} threads; without a fleet {before['VmRSS'] / KIB_IN_MIB:.1f} MiB",
        ),
    )


def _window(ground: Ground) -> Idle:
    closer_look(ground)  # before there is a fleet: it would fall into the window
    return _identified(ground.site(), ground.window() if ground.quick else POINT)


@cache
def _identified(host: BootedHost, seconds: float) -> Idle:
    """Enrol the agent, have it do something, watch it, and take its identity away again."""
    with tempfile.TemporaryDirectory(prefix="archipel-identity-") as name, _fleet(host, Path(name)):
        place = Path(name)
        try:
            host.run(["archipel", "enrol", _invitation(place)]).ok()
            await_link(host)
            # What it took to enrol, once in a machine's life, must not be counted as what it takes to be enrolled.
            host.run(["systemctl", "restart", "archipel-agent"]).ok()
            await_link(host)
            node = json.loads(host.run(["archipel", "status", "--json"]).stdout)["node"]["node_id"]
            for _ in range(ORDERS):
                _asked(place, ["run"], node, "logs", "--wait")
            time.sleep(SETTLE_SECONDS)
            tell(f"watching the agent with its identity for {seconds:.0f} s")
            return window_of(host, seconds)
        finally:
            host.run(["systemctl", "stop", "archipel-agent"]).ok()
            host.run(["rm", "-rf", IDENTITY]).ok()
            host.run(["systemctl", "start", "archipel-agent"]).ok()


@contextlib.contextmanager
def _fleet(host: BootedHost, place: Path) -> Iterator[None]:
    """Run the controller as from its first start, reachable from inside the host."""
    pages, broker, enrolment = free_port(), free_port(), free_port()
    data, ready = place / "fleet", place / "ready"
    words = [
        "--data", str(data), "--listen", f"127.0.0.1:{pages}", "--broker-port", str(broker),
        "--enrol-listen", f"127.0.0.1:{enrolment}", "--ready-file", str(ready),
    ]  # fmt: skip
    with contextlib.ExitStack() as stack, (place / "controller.out").open("ab") as out:
        process = subprocess.Popen(
            [archipel(), "fleet", "serve", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        stack.callback(end, process)
        until(ready.exists, "controller", place)
        for port in (broker, enrolment):
            inside = f"/run/port-{port}.sock"
            stack.enter_context(_led(Path(host.outside(inside)), port))
            relay = host.spawn(["python3", f"{PLACE}/relay.py", str(port), inside])
            stack.callback(relay.stop)
        yield


def _asked(place: Path, words: list[str], *more: str) -> str:
    """Ask the controller that lives in `place`."""
    here = ["--data", str(place / "fleet"), "--url", (place / "ready").read_text().strip()]
    done = subprocess.run(
        [archipel(), "fleet", *words, *here, *more], check=False, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"archipel fleet {' '.join(words)}: {done.stderr[-300:]}")
    return done.stdout


def _invitation(place: Path) -> str:
    said = _asked(place, ["token", "new"])
    found = LINK.search(said)
    if found is None:
        raise RuntimeError(f"no link in what was said: {said[-300:]}")
    return found[0]


@contextlib.contextmanager
def _led(place: Path, port: int) -> Iterator[None]:
    """Lead connections to a Unix socket to a port of this side's loopback."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen(16)
        threading.Thread(target=_accept, args=(server, port), daemon=True).start()
        yield
    place.unlink(missing_ok=True)


def _accept(server: socket.socket, port: int) -> None:
    while True:
        try:
            inner = server.accept()[0]
        except OSError:
            return
        try:
            outer = socket.create_connection(("127.0.0.1", port))
        except OSError:
            inner.close()
            continue
        for source, target in ((inner, outer), (outer, inner)):
            threading.Thread(target=pump, args=(source, target), daemon=True).start()
