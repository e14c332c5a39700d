"""A node that talks: the agent's real link and outbox, and nothing else of the agent. It numbers what it says.

    python -m tests.chaos.chatter DIRECTORY LEDGER BROKER COUNT BATCH PAUSE

Numbers go from 1 to COUNT, in batches, with PAUSE seconds between. The ledger gets a line before each batch (`try 11 20`),
one after it (`told 11 20`), and one at each start (`epoch E`). Started again it goes on behind the highest number it tried:
what was tried and not told may have been stored or not. Ends with 0 once all is acknowledged, and with 9 where the disk is
too full to begin.
"""

import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from archipel_agent.host.clock import SystemClock, SystemEntropy
from archipel_agent.link.engine import Budget
from archipel_agent.link.link import Link, LinkParts
from archipel_agent.state.database import Database, StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.facts import ClockQuality, NodeFacts, NodeUsage
from archipel_contract.link import broker_url
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import Event, EventKind, LinkPlan
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.site import Role
from archipel_contract.status import ClusterStatus, Health, K3sStatus, NodeStatus, Report

NODE = "n-0123456789abcdef"
TOO_FULL = 9
POLL_SECONDS = 0.05


class Ledger:
    """What was tried and what was told, on a disk that never fills."""

    def __init__(self, path: Path) -> None:
        self.last = max((int(one) for one in re.findall(r"^try \d+ (\d+)$", _read(path), re.M)), default=0)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, line: str) -> None:
        """Add a line; a kill after this does not take it back."""
        os.write(self._file, f"{line}\n".encode())


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def report() -> Report:
    """Return what a turn would report: a node that is no site yet."""
    node = NodeStatus(
        node_id=NODE,
        node_name="chatter",
        role=Role.UNKNOWN,
        clock=ClockQuality.SYNCHRONIZED,
        facts=NodeFacts(hostname="chatter", architecture="x86_64", boot_id="b"),
        usage=NodeUsage(),
        k3s=K3sStatus(),
    )
    now = datetime.now(UTC).isoformat()
    cluster = ClusterStatus(reachable=False)
    return Report(at=now, health=Health.NOT_SET_UP, sentence="talks", node=node, cluster=cluster)


def link_of(directory: Path, broker: str, store: Store) -> Link:
    """Return the real link."""
    url = broker_url.parse(broker)
    return Link(
        LinkParts(
            node_id=NODE,
            plan=LinkPlan(every=5, metrics_every=3600),
            broker=broker,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            facts=store,
            outbox=directory / "outbox.db",
            carrier=lambda: MqttCarrier(url, NODE),
            free_bytes=lambda: os.statvfs(directory).f_bavail * os.statvfs(directory).f_frsize,
            first_spread=0.2,
            budget=Budget(window=200, rate=5000.0, burst=1000.0, answer=2.0),
        )
    )


def talk(link: Link, ledger: Ledger, count: int, batch: int, pause: float) -> None:
    """Say all numbers, then wait for the acknowledgement of all."""
    first = ledger.last + 1
    while first <= count:
        last = min(count, first + batch - 1)
        ledger.note(f"try {first} {last}")
        link.tell(*(Event(kind=EventKind.NOTE, text=str(number)) for number in range(first, last + 1)))
        ledger.note(f"told {first} {last}")
        first = last + 1
        time.sleep(pause)
    while link.status().waiting:
        time.sleep(POLL_SECONDS)


def main() -> int:
    """Run."""
    directory, ledger, broker = Path(sys.argv[1]), Ledger(Path(sys.argv[2])), sys.argv[3]
    try:
        database = Database(directory / "state.db")
    except StateUnusable as error:
        print(error, flush=True)
        return TOO_FULL
    store = Store(database)
    link = link_of(directory, broker, store)
    link.start()
    link.note(report())
    memory = link._core._memory
    if memory is None or Lane.EVENT not in memory.epochs:  # the disk is too full to take an epoch
        print("no epoch", flush=True)
        return TOO_FULL
    ledger.note(f"epoch {memory.epochs[Lane.EVENT]}")
    talk(link, ledger, int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
    link.stop()
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
