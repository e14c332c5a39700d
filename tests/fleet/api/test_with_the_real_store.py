"""The same over a real database: a foreign customer's words reach nobody, and rubbish breaks nothing."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from archipel_fleet.api.context import Context
from archipel_fleet.live import Live
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.storage import open_store
from tests.fakes.fleet_context import CHEAP, PASSWORD, FakeClock
from tests.fleet.api.asking import ENDLESS, asking, filled, routes, whole_app
from tests.fleet.api.test_described import fuzz
from tests.fleet.storage.speech import NOW, node_id, site_id
from tests.fleet.storage.test_scopes import SECRET, fill


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A controller over SQLite with sites of two customers; every text of the south's says SECRET."""
    clock = FakeClock(NOW)
    store = open_store("", tmp_path, clock, secrets.token_bytes)
    store.listening(NOW - 1000, NOW)
    fill(store)
    made = Context(store=store, clock=clock, live=Live(), password_cost=CHEAP)
    for name, customer in (("nora", "north"), ("sam", "south")):
        made.accounts.put(Account(name=name, role=AccountRole.OPERATOR, customer=customer), PASSWORD)
    made.accounts.put(Account(name="anna", role=AccountRole.ADMIN), PASSWORD)
    yield made
    store.close()


@pytest.fixture
def tokens(context: Context) -> dict[str, str]:
    """A session of each account; opened before a loop runs, as logging in blocks."""
    return {name: context.accounts.login(name, PASSWORD, "x").token for name in ("nora", "sam")}


@pytest.mark.parametrize(("name", "foreign"), [("nora", True), ("sam", False)])
async def test_no_route_shows_what_the_other_customers_nodes_said(
    app: FastAPI, tokens: dict[str, str], name: str, foreign: bool
) -> None:
    word = SECRET if foreign else "fjord"
    own = "fjord" if foreign else SECRET
    shown = 0
    async with asking(app, tokens[name]) as client:
        for method, path in routes(app):
            if method != "GET" or path in ENDLESS or path == "/api/openapi.json":
                continue
            for number in (1, 2, 3, 4):
                values = {
                    "site": site_id(number),
                    "site_id": site_id(number),
                    "node_id": node_id(number),
                    "code": "heat",
                }
                answer = await client.get(filled(path, **values))
                assert word not in answer.text, (path, number)
                assert answer.status_code < 500, (path, number)
                shown += own in answer.text
    assert shown > 10


@pytest.fixture
def app(context: Context) -> FastAPI:
    """API and pages, made before a loop runs."""
    return whole_app(context)


@pytest.mark.timeout(90)
def test_generated_requests_break_nothing(context: Context) -> None:
    assert fuzz(examples=3, seed=2, context=context) >= 40
