"""Nothing is answered without a login, over every route there is; and what a session allows."""

from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from archipel_fleet.api import auth
from archipel_fleet.api.context import Context
from tests.fakes import fleet_sites
from tests.fakes.fleet_context import ACCOUNTS, PASSWORD, FakeClock, token_of
from tests.fleet.api.asking import ENDLESS, ORIGIN, asking, filled, routes

SECRETS = (
    [name for name, *_ in fleet_sites.TABLE] + [one.name for one in ACCOUNTS] + ["north", "s-0000", "n-0000"]
)


def gives_away(answer: httpx.Response) -> list[str]:
    # The address that was asked for may come back: the login leads on to it.
    said = (answer.text + str(answer.headers)).replace(quote(answer.request.url.path, safe=""), "")
    return [word for word in SECRETS if word in said]


@pytest.mark.parametrize("token", ["", "rubbish", "18f." + "a" * 43])
async def test_every_route_asks_for_a_login_first(app: FastAPI, context: Context, token: str) -> None:
    asked = 0
    async with asking(app, token) as client:
        for method, path in routes(app):
            for address in {
                filled(path),
                filled(path, site="berlin", site_id=fleet_sites.site_id(1), name="nora"),
            }:
                answer = await client.request(method, address)
                asked += 1
                assert gives_away(answer) == [], (method, address)
                if path in auth.PUBLIC or path.startswith(auth.PUBLIC_BELOW):
                    continue
                led = answer.status_code == 303 and answer.headers["location"].startswith("/login?next=")
                assert answer.status_code == 401 or led, (method, address)
    assert asked > 40


async def test_the_walk_over_the_routes_finds_all_there_are(app: FastAPI, context: Context) -> None:
    found = {(method, path) for method, path in routes(app)}
    described = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}
    assert described <= found
    assert {
        ("GET", "/sites"),
        ("GET", "/static/anything"),
        ("GET", "/metrics"),
        *(("GET", one) for one in ENDLESS),
    } <= found


async def test_a_path_nobody_knows_asks_for_a_login_too(app: FastAPI, context: Context) -> None:
    async with asking(app) as client:
        for path in (
            "/api/v1/none",
            "/api/v2/sites",
            "/api/",
            "/static/../api/v1/sites",
            "/%2e%2e/api/v1/sites",
            "//",
        ):
            assert (await client.get(path)).status_code in (303, 401, 404), path
            assert gives_away(await client.get(path)) == []
        assert (await client.get("/api/v1/none")).status_code == 401


async def test_what_is_public_says_no_more_than_it_must(app: FastAPI, context: Context) -> None:
    assert {"/healthz", "/login", "/api/v1/login"} == auth.PUBLIC
    async with asking(app) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/login")).status_code == 200


async def test_a_page_leads_to_the_login_and_back_and_an_api_call_does_not(
    app: FastAPI, context: Context
) -> None:
    async with asking(app) as client:
        page = await client.get("/sites?contact=overdue")
        assert page.headers["location"] == "/login?next=%2Fsites%3Fcontact%3Doverdue"
        part = await client.get("/sites", headers={"HX-Request": "true"})
        assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")
        called = await client.get("/api/v1/sites")
        assert called.status_code == 401
        assert called.json()["error"] == "not-logged-in"
        assert called.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "target",
    ["https://example.org/", "//example.org", "/\\example.org", "/a\\b", "javascript:x", "", "/a\r\nb"],
)
def test_a_login_never_leads_to_a_foreign_page(target: str) -> None:
    assert auth.inward(target) == "/"


def test_a_login_leads_back_to_the_page_that_was_asked_for() -> None:
    assert auth.inward("/sites?contact=overdue&page=2") == "/sites?contact=overdue&page=2"


async def test_logging_in_by_the_api_gives_a_token_that_works_until_logout(
    app: FastAPI, context: Context
) -> None:
    async with asking(app) as client:
        opened = (await client.post("/api/v1/login", json={"name": "nora", "password": PASSWORD})).json()
    assert (opened["name"], opened["role"], opened["customer"]) == ("nora", "operator", "north")
    async with asking(app, opened["token"]) as client:
        assert (await client.get("/api/v1/me")).json()["name"] == "nora"
        assert (await client.post("/api/v1/logout")).status_code == 204
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_wrong_passwords_are_refused_and_then_slowed(app: FastAPI, context: Context) -> None:
    wrong = {"name": "nora", "password": "wrong wrong wrong"}
    async with asking(app) as client:
        answers = [await client.post("/api/v1/login", json=wrong) for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[0].json()["error"] == "login-refused"


async def test_a_session_that_is_over_is_no_session(app: FastAPI, context: Context) -> None:
    token = token_of(context, "nora")
    assert isinstance(context.clock, FakeClock)
    context.clock.pass_by(12 * 3600)
    async with asking(app, token) as client:
        assert (await client.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("name", ["otto", "nora", "viktor"])
async def test_only_an_admin_sees_and_changes_accounts(app: FastAPI, context: Context, name: str) -> None:
    async with asking(app, token_of(context, name)) as client:
        for method, path in (
            ("GET", "/api/v1/accounts"),
            ("GET", "/metrics"),
            ("GET", "/accounts"),
            ("DELETE", "/api/v1/accounts/anna"),
        ):
            assert (await client.request(method, path)).status_code == 403, path
        made = await client.put("/api/v1/accounts/x", json={"role": "admin", "password": PASSWORD})
        assert made.status_code == 403
        assert (await client.post("/api/v1/customers", json={"name": "west"})).status_code == 403
    assert {one.name for one in context.accounts.all()} == {one.name for one in ACCOUNTS}


@pytest.mark.parametrize(("name", "status"), [("anna", 200), ("otto", 200), ("nora", 403), ("viktor", 403)])
async def test_sites_are_given_away_by_those_only_who_see_all_customers(
    app: FastAPI, context: Context, name: str, status: int
) -> None:
    async with asking(app, token_of(context, name)) as client:
        answer = await client.put("/api/v1/sites/emden/customer", json={"customer": "south"})
        assert answer.status_code == status


async def test_the_token_of_a_header_wins_over_a_cookie(app: FastAPI, context: Context) -> None:
    headers = {
        "Authorization": f"Bearer {token_of(context, 'anna')}",
        "Cookie": f"archipel_session={token_of(context, 'nora')}",
    }
    async with asking(app) as client:
        assert (await client.get("/api/v1/me", headers=headers)).json()["name"] == "anna"


async def test_the_cookie_is_kept_from_scripts_and_from_other_sites(app: FastAPI, context: Context) -> None:
    async with asking(app) as client:
        form = {"name": "anna", "password": PASSWORD, "next": "/sites"}
        answer = await client.post("/login", data=form, headers={"Origin": ORIGIN})
    said = answer.headers["set-cookie"].lower()
    assert answer.status_code == 303
    assert "httponly" in said and "samesite=strict" in said and "path=/" in said
