"""How long a device takes to judge a command that has arrived: the frame taken apart, what it knows of itself read from its
database, and the signatures verified. Writing it down is not in it: that is the disk's time.
"""

import tempfile
import time
from pathlib import Path

from archipel_agent.state.database import Database
from archipel_agent.state.orders import OrderStore
from archipel_contract.commands import Action, Command
from archipel_contract.facts import ClockQuality
from archipel_contract.link.envelope import frame_in
from archipel_contract.trust import orders
from archipel_contract.trust.store import TrustStore
from benchmarks.figure import Figure
from benchmarks.ground import Ground
from tests.fakes.trust import FLEET, HOUR, FakeFleet, wire

NODE, SITE = "n-0000000000000000", "s-0000000000000000"
NOW = 1_800_000_000_000
KNOWN = 50  # results that are kept
COUNT, QUICK_COUNT = 2000, 300
BOUND_MS = 1.0


def measure(ground: Ground) -> Figure:
    """Measure one signature, as most commands have."""
    count = QUICK_COUNT if ground.quick else COUNT
    fleet = FakeFleet()
    fleet.counter = KNOWN  # those were others
    with tempfile.TemporaryDirectory(prefix="verify-") as place:
        database = Database(Path(place) / "state.db")
        store = _used(database)
        one = _times(fleet, store, count, Action.LOGS, 1)
        two = _times(fleet, store, count, Action.DECOMMISSION, 2)
        database.close()
    return Figure(
        name="verify",
        title="judging a command that has arrived",
        unit="ms",
        values=one,
        bound=BOUND_MS,
        method=f"{count} commands of one signature, each another; {KNOWN} results in the database; warm",
        details=(f"with two signatures: median {sorted(two)[len(two) // 2]:.3f} ms",),
    )


def _used(database: Database) -> OrderStore:
    """Return the orders of a device that has had some."""
    store = OrderStore(database)
    for number in range(KNOWN):
        made = Command(
            id=f"c-{number:016d}", node=NODE, counter=number, issued=0, expires=0, action=Action.LOGS
        )
        store.accept(made, FLEET)
    return store


def _times(
    fleet: FakeFleet, store: OrderStore, count: int, action: Action, signatures: int
) -> tuple[float, ...]:
    """Return the milliseconds each of `count` commands took."""
    trust = TrustStore(fleet.document)
    signers = [fleet.alice, fleet.bob][:signatures]
    wires = [wire(fleet.command(NODE, NOW, action, signers, expires=NOW + HOUR)) for _ in range(count + 10)]
    found = []
    for one in wires:
        began = time.perf_counter()
        command = orders.command(frame_in(one), trust, _standing(store))
        found.append((time.perf_counter() - began) * 1000)
        assert command.action is action
    return tuple(found[10:])


def _standing(store: OrderStore) -> orders.Standing:
    return orders.Standing(
        node_id=NODE,
        site_id=SITE,
        now=NOW,
        clock=ClockQuality.SYNCHRONIZED,
        nonce="",
        counter=min(store.counter(FLEET), 0),
        generation=-1 if store.document() is None else 0,
        known=store.known(),
    )
