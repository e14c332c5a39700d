"""A customer's account sees no byte of another customer's, over every route there is: names, ids, counts, existence."""

import re

import httpx
import pytest
from fastapi import FastAPI

from archipel_fleet.api import stream
from archipel_fleet.api.context import Context
from tests.fakes import fleet_sites
from tests.fakes.fleet_context import token_of
from tests.fleet.api.asking import ENDLESS, asking, filled, routes

NOBODYS = {
    "site": "zwickau",
    "site_id": "s-ffffffffffffffff",
    "node_id": "n-ffffffffffffffff",
    "code": "heat",
}


def foreign(customer: str) -> list[int]:
    """Rows of the sites that are not this customer's."""
    return [number for number, row in enumerate(fleet_sites.TABLE) if row[1] != customer]


def traces(customer: str) -> list[str]:
    """Every word that names what is another customer's."""
    words = [name for name in ("default", "north", "south") if name != customer]
    for number in foreign(customer):
        row = fleet_sites.site_row(number)
        words += [row.name, row.site_id, *(node.node_id for node in fleet_sites.node_rows(number))]
    return words


def found(words: list[str], text: str) -> list[str]:
    """Those of `words` that stand in the text as words of their own."""
    return [word for word in words if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w])", text)]


def without(text: str, values: dict[str, str]) -> str:
    """The answer without what the request itself named, and without what differs each time."""
    for value in values.values():
        text = text.replace(value, "...")
    return text


@pytest.mark.parametrize(("name", "customer"), [("nora", "north"), ("viktor", "south")])
async def test_no_list_names_what_is_anothers(
    app: FastAPI, context: Context, name: str, customer: str
) -> None:
    asked = 0
    async with asking(app, token_of(context, name)) as client:
        for method, path in routes(app):
            if method != "GET" or path in ENDLESS or path == "/api/openapi.json":
                continue
            for query in (
                "",
                "?size=500&page=1",
                "?customer=default",
                "?text=berlin",
                "?sort=health&descending=true",
            ):
                answer = await client.get(filled(path, **NOBODYS) + query)
                body = answer.text.replace("berlin", "") if "berlin" in query else answer.text
                body = body.replace("default", "") if "default" in query else body
                assert found(traces(customer), body) == [], (path, query)
                asked += 1
    assert asked > 60


@pytest.mark.parametrize("name", ["nora", "viktor"])
async def test_what_is_anothers_is_answered_as_what_does_not_exist(
    app: FastAPI, context: Context, name: str
) -> None:
    customer = {"nora": "north", "viktor": "south"}[name]
    theirs = foreign(customer)[0]
    row = fleet_sites.site_row(theirs)
    values = {
        "site": row.name,
        "site_id": row.site_id,
        "node_id": fleet_sites.node_id(theirs, 1),
        "code": "heat",
    }
    by_id = {**values, "site": row.site_id}
    async with asking(app, token_of(context, name)) as client:
        for method, path in routes(app):
            if "{" not in path or method not in ("GET", "PUT", "DELETE"):
                continue
            for asked in (values, by_id):
                real = await client.request(method, filled(path, **asked), json={"customer": customer})
                none = await client.request(method, filled(path, **NOBODYS), json={"customer": customer})
                assert real.status_code == none.status_code, path
                assert without(real.text, asked) == without(none.text, NOBODYS), path


async def test_filters_do_not_count_what_is_anothers(app: FastAPI, context: Context) -> None:
    async with asking(app, token_of(context, "nora")) as client:
        assert (await client.get("/api/v1/summary")).json()["sites"] == 4
        assert (await client.get("/api/v1/sites?customer=default")).json()["total"] == 0
        assert (await client.get(f"/api/v1/nodes?site_id={fleet_sites.site_id(1)}")).json()["total"] == 0
        assert (await client.get("/api/v1/customers")).json() == ["north"]


async def test_what_is_wrong_with_the_controller_is_not_told_to_a_customer(
    context: Context, app: FastAPI
) -> None:
    from dataclasses import replace

    from archipel_contract import catalogue
    from archipel_fleet.api.app import create_app

    troubled = replace(context, trouble=lambda: (catalogue.finding("disk-full"),))
    made = create_app(troubled)
    async with asking(made, token_of(troubled, "nora")) as client:
        seen = (await client.get("/api/v1/controller")).json()
        assert (seen["status"], seen["findings"]) == ("degraded", [])
    async with asking(made, token_of(troubled, "otto")) as client:
        assert (await client.get("/api/v1/controller")).json()["findings"][0]["code"] == "disk-full"
        assert (await client.get("/healthz")).json() == {"status": "degraded"}


async def test_the_stream_names_ones_own_sites_only(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "AT_LEAST_BETWEEN", 0.0)
    token = token_of(context, "nora")
    account = context.accounts.of(token)
    assert account is not None
    told = stream.changes(context, account, token)
    await anext(told)
    own, theirs = fleet_sites.site_id(4), fleet_sites.site_id(1)
    context.live.publish(frozenset({own, theirs}))
    assert await anext(told) == stream.message(frozenset({own}))
    context.live.publish(frozenset({theirs}))
    assert await anext(told) == ": still here\n\n"
    context.live.publish(frozenset(f"s-{number}" for number in range(200)))
    assert await anext(told) == stream.message(frozenset({"*"}))
    await told.aclose()


async def test_a_site_that_is_given_to_somebody_else_is_gone_at_once(app: FastAPI, context: Context) -> None:
    async with asking(app, token_of(context, "nora")) as nora, asking(app, token_of(context, "anna")) as anna:
        assert (await nora.get("/api/v1/sites/emden")).status_code == 200
        moved: httpx.Response = await anna.put("/api/v1/sites/emden/customer", json={"customer": "south"})
        assert moved.json()["customer"] == "south"
        assert (await nora.get("/api/v1/sites/emden")).status_code == 404
