"""The gate: requests another site's page made the browser send, requests that are too large, headers of every answer."""

import httpx
import pytest
from fastapi import FastAPI

from archipel_fleet.accounts import sessions
from archipel_fleet.api import gate
from archipel_fleet.api.context import Context
from tests.fakes.fleet_context import PASSWORD, token_of
from tests.fakes.fleet_store import FakeStore
from tests.fleet.api.asking import ORIGIN, asking

FOREIGN = (
    {"Origin": "https://example.org"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_write_sent_by_a_foreign_page_is_refused(
    app: FastAPI, context: Context, headers: dict[str, str]
) -> None:
    async with asking(app, cookie=token_of(context, "anna")) as client:
        answer = await client.post("/api/v1/customers", json={"name": "west"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "other-origin")
        login = await client.post("/login", data={"name": "anna", "password": PASSWORD}, headers=headers)
        assert login.status_code == 403
    assert "west" not in context.store.customers()


@pytest.mark.parametrize(
    "headers", [{"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}], ids=str
)
async def test_a_write_of_the_page_itself_is_taken(
    app: FastAPI, context: Context, headers: dict[str, str]
) -> None:
    async with asking(app, cookie=token_of(context, "anna")) as client:
        assert (
            await client.post("/api/v1/customers", json={"name": "west"}, headers=headers)
        ).status_code == 201


async def test_a_form_needs_the_token_of_its_own_session(app: FastAPI, context: Context) -> None:
    mine, other = token_of(context, "anna"), token_of(context, "anna")
    form = {"name": "zora", "role": "viewer", "customer": "", "password": PASSWORD}
    async with asking(app, cookie=mine) as client:
        for given in ("", "rubbish", sessions.form_token(other), "ü"):
            answer = await client.post(
                "/accounts", data={**form, "form_token": given}, headers={"Origin": ORIGIN}
            )
            assert answer.status_code == 403, given
        good = {**form, "form_token": sessions.form_token(mine)}
        assert (await client.post("/accounts", data=good, headers={"Origin": ORIGIN})).status_code == 303
    assert "zora" in {one.name for one in context.accounts.all()}


async def test_a_request_that_says_it_is_large_is_not_read(app: FastAPI, context: Context) -> None:
    async with asking(app, token_of(context, "anna")) as client:
        answer = await client.post("/api/v1/customers", content=b"x" * (gate.MAX_BODY_BYTES + 1))
        assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
        odd = await client.post("/api/v1/customers", content=b"{}", headers={"Content-Length": "-5"})
        assert odd.status_code == 413


class Endless(httpx.AsyncByteStream):
    """A body without an end that does not say how long it is."""

    def __init__(self) -> None:
        self.sent = 0

    def __aiter__(self) -> "Endless":
        return self

    async def __anext__(self) -> bytes:
        if self.sent > 100 * gate.MAX_BODY_BYTES:
            raise StopAsyncIteration
        self.sent += 8192
        return b'{"name": "' + b"x" * 8182


async def test_a_request_that_hides_its_size_is_cut_off(app: FastAPI, context: Context) -> None:
    body = Endless()
    headers = {"Authorization": f"Bearer {token_of(context, 'anna')}", "Content-Type": "application/json"}
    async with asking(app) as client:
        request = httpx.Request("POST", f"{ORIGIN}/api/v1/customers", headers=headers, stream=body)
        answer = await client.send(request)
    assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
    assert body.sent <= 2 * gate.MAX_BODY_BYTES


async def test_every_answer_carries_the_security_headers(app: FastAPI, context: Context) -> None:
    async with asking(app) as client:
        for path in ("/login", "/healthz", "/api/v1/sites", "/sites", "/static/none.js", "/none"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert "'unsafe" not in headers["content-security-policy"], path
            assert headers["referrer-policy"] == "same-origin", path
            assert path.startswith("/static/") or headers["cache-control"] == "no-store", path


async def test_an_answer_of_the_api_tells_the_controllers_time(app: FastAPI, context: Context) -> None:
    async with asking(app, token_of(context, "anna")) as client:
        assert (await client.get("/api/v1/sites")).headers["archipel-now"] == str(context.clock.now())


@pytest.mark.parametrize(
    "cookie", ["archipel_session", "archipel_session=", "=;;;", "a=\x01b", '"', "archipel_session=\xff"]
)
async def test_a_cookie_of_rubbish_is_no_login(app: FastAPI, context: Context, cookie: str) -> None:
    async with asking(app) as client:
        answer = await client.get("/api/v1/me", headers=[(b"cookie", cookie.encode("latin-1"))])
    assert answer.status_code == 401


async def test_a_database_that_is_away_is_said_and_nothing_else_is(app: FastAPI, context: Context) -> None:
    token = token_of(context, "anna")
    assert isinstance(context.store, FakeStore)
    context.store.failing = "fleet-database-away"
    async with asking(app, token) as client:
        answer = await client.get("/api/v1/sites")
        assert (answer.status_code, answer.json()["error"]) == (503, "fleet-database-away")
        assert answer.headers["retry-after"] == "5"
        assert (await client.get("/healthz")).status_code == 200


async def test_a_database_that_goes_away_between_the_login_and_the_question_is_said_too(
    app: FastAPI, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(context.store, FakeStore)
    store = context.store
    real = store.session

    def last_answer(digest: str, now: int) -> object:
        found = real(digest, now)
        store.failing = "fleet-database-locked"
        return found

    token = token_of(context, "anna")
    context.accounts.of(token)  # the store has been told of its use
    monkeypatch.setattr(store, "session", last_answer)
    async with asking(app, token) as client:
        answer = await client.get("/api/v1/sites")
    assert (answer.status_code, answer.json()["error"]) == (503, "fleet-database-locked")


async def test_a_defect_is_one_sentence_without_its_details(
    app: FastAPI, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(context.store, "summary", broken)
    async with asking(app, token_of(context, "anna")) as client:
        answer = await client.get("/api/v1/summary")
    assert (answer.status_code, answer.json()["error"]) == (500, "defect")
    assert "hunter2" not in answer.text
