"""How long the controller takes for the page of all sites when there are 2,000 of them: login, queries, rendering.

The application is asked as a server asks it, in this process and without a network, over a real store.
"""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archipel_fleet.api import auth
from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.link.check import Checker
from archipel_fleet.live import Live
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.storage import SqlStore, open_store
from archipel_fleet.web import routes
from benchmarks.figure import Figure
from benchmarks.ground import Ground, tell
from benchmarks.reports import NODES_OF_A_SITE, messages, pool

SITES = 2000
BATCH = 500  # messages committed at once while the store is filled
WARM = 10
ASKED, QUICK_ASKED = 200, 40
# What people look at, by turns.
QUERIES = (
    "",
    "page=20",
    "sort=heard&descending=yes",
    "contact=connected&health=healthy",
    "q=boathouse+19",
    "sort=contact",
)
PASSWORD = "correct horse battery"


def measure(ground: Ground) -> Figure:
    """Measure."""
    with _filled() as store:
        times, busy = asyncio.run(_timed(store, QUICK_ASKED if ground.quick else ASKED))
    ordered = sorted(times)
    return Figure(
        name="web-list",
        title=f"Page of all sites with {SITES} sites of {NODES_OF_A_SITE} nodes, 50 on a page",
        unit="ms",
        values=tuple(times),
        bound=50.0,
        method=(
            "the application is asked in one process over SQLite, from the request to the last byte of the page: session, "
            f"queries (total, page, numbers of the whole fleet) and rendering; six lists in turn, {len(times)} pages"
        ),
        details=(
            f"nineteen of twenty within {ordered[len(ordered) * 95 // 100]:.1f} ms",
            f"of a core's time each took {busy:.1f} ms on average; the rest is waiting for whatever else runs here",
        ),
    )


@contextmanager
def _filled() -> Iterator[SqlStore]:
    tell(f"a store is filled with {SITES} sites")
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="archipel-bench-") as place:
        store = open_store("", Path(place), clock, secrets.token_bytes)
        try:
            now = clock.now()
            store.listening(now - 3_600_000, now)
            checker, nodes = Checker(), pool(SITES * NODES_OF_A_SITE)
            said = [one.hello(now) for one in nodes] + list(messages(nodes, len(nodes), now))
            arrivals = [checker.check(one.topic, one.payload, now) for one in said]
            for first in range(0, len(arrivals), BATCH):
                store.take(arrivals[first : first + BATCH])
            yield store
        finally:
            store.close()


async def _timed(store: SqlStore, count: int) -> tuple[list[float], float]:
    """Return how long each page took, and how much of a core's time on average, both in ms."""
    clock = SystemClock()
    context = Context(store=store, clock=clock, live=Live())
    context.accounts.put(Account(name="anna", role=AccountRole.ADMIN), PASSWORD)
    cookie = f"{auth.COOKIE}={context.accounts.login('anna', PASSWORD, '127.0.0.1').token}"
    app = create_app(context)
    routes.mount(app, context)
    times = []
    busy_before = 0.0
    for number in range(WARM + count):
        if number == WARM:
            busy_before = time.process_time()
        began = clock.monotonic()
        status = await _asked(app, QUERIES[number % len(QUERIES)], cookie)
        if status != 200:
            raise RuntimeError(f"the page answered {status}")
        times.append((clock.monotonic() - began) * 1000)
    return times[WARM:], (time.process_time() - busy_before) / count * 1000


async def _asked(app: Any, query: str, cookie: str) -> int:
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/sites",
        "raw_path": b"/sites",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1:8470"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8470),
    }
    await app(scope, receive, send)
    return status
