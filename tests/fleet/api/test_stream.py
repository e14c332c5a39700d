"""The stream of changes: what it tells, when it ends, and clients that never read."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from archipel_fleet.api import stream
from archipel_fleet.api.context import Context
from archipel_fleet.host import server
from archipel_fleet.records import Account
from tests.fakes import fleet_sites
from tests.fakes.fleet_context import fake_context, token_of
from tests.fleet.api.asking import asking
from tests.fleet.serving import answering


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is held back, so that a test need not wait."""
    monkeypatch.setattr(stream, "AT_LEAST_BETWEEN", 0.0)


def somebody(context: Context) -> tuple[Account, str]:
    token = token_of(context, "anna")
    account = context.accounts.of(token)
    assert account is not None
    return account, token


async def test_changes_are_told_in_batches_and_silence_by_a_comment(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.01)
    told = stream.changes(context, *somebody(context))
    assert (await anext(told)).startswith("retry: ")
    context.live.publish(frozenset({"s-2"}))
    context.live.publish(frozenset({"s-1"}))
    assert await anext(told) == 'event: changed\ndata: {"sites": ["s-1", "s-2"]}\n\n'
    assert await anext(told) == ": still here\n\n"
    await told.aclose()
    assert context.live.readers == 0


async def test_the_stream_ends_with_the_session(context: Context) -> None:
    account, token = somebody(context)
    told = stream.changes(context, account, token)
    await anext(told)
    context.accounts.logout(token)
    context.live.publish(frozenset({"s-1"}))
    assert await anext(told) == "event: over\ndata: {}\n\n"
    assert [one async for one in told] == []
    assert context.live.readers == 0


async def test_the_stream_ends_with_the_controller(context: Context) -> None:
    told = stream.changes(context, *somebody(context))
    await anext(told)
    context.live.close()
    assert len([one async for one in told]) <= 1


async def test_a_database_that_is_away_ends_nobodys_stream(context: Context) -> None:
    told = stream.changes(context, *somebody(context))
    await anext(told)
    context.store.failing = "fleet-database-away"  # type: ignore[attr-defined]  # the store is the fake
    context.live.publish(frozenset({"s-1"}))
    assert "s-1" in await anext(told)
    await told.aclose()


async def test_there_are_only_so_many_streams(
    app: FastAPI, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STREAMS", 1)
    open_one = context.live.subscribe()
    async with asking(app, token_of(context, "anna")) as client:
        answer = await client.get("/api/v1/changes")
    open_one.close()
    assert (answer.status_code, answer.json()["error"]) == (429, "too-many-streams")


async def test_a_client_that_takes_nothing_is_dropped_and_its_subscription_ends(context: Context) -> None:
    taken: list[dict[str, Any]] = []
    greeted, stuck = asyncio.Event(), asyncio.Event()

    async def send(message: Any) -> None:
        taken.append(message)
        if len(taken) == 2:
            greeted.set()
        elif len(taken) > 2:
            await stuck.wait()

    async def receive() -> Any:
        await stuck.wait()

    told = stream.changes(context, *somebody(context))
    running = asyncio.ensure_future(
        stream.EventStream(told, unread_for=0.05)({"type": "http"}, receive, send)
    )
    await greeted.wait()
    context.live.publish(frozenset({"s-1"}))
    await asyncio.wait_for(running, 5)
    assert context.live.readers == 0


async def test_a_client_that_hangs_up_ends_its_subscription(context: Context) -> None:
    gone = asyncio.Event()

    async def send(message: Any) -> None:
        gone.set()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    told = stream.changes(context, *somebody(context))
    await asyncio.wait_for(stream.EventStream(told)({"type": "http"}, receive, send), 5)
    assert context.live.readers == 0


def held_for(port: int) -> int:
    """Bytes this machine keeps for the client at `port` until it takes them (proc_net_tcp(5)); 0 without a connection."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(words[4].partition(":")[0], 16) for words in lines if words[2].endswith(f":{port:04X}"))


def wait_until(true: Any, seconds: float = 8.0) -> bool:
    import time

    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(true())


def test_a_real_client_that_never_reads_is_dropped_while_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from archipel_fleet.api.app import create_app

    monkeypatch.setattr(stream, "UNREAD_FOR", 0.3)
    monkeypatch.setattr(server, "UNREAD_SECONDS", 1)
    context = fake_context()
    token = token_of(context, "anna")
    many = frozenset(f"s-{number:060}" for number in range(900))
    with answering(create_app(context), context.live) as url, socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        lazy.sendall(
            f"GET /api/v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        assert wait_until(lambda: context.live.readers == 1)

        def dropped() -> bool:
            context.live.publish(many)
            return context.live.readers == 0

        assert wait_until(dropped, 10)
        # Nor do the bytes it never took stay in the kernel.
        assert wait_until(lambda: held_for(lazy.getsockname()[1]) == 0)


def test_a_real_client_is_told_and_its_going_is_noticed() -> None:
    import httpx

    from archipel_fleet.api.app import create_app

    context = fake_context()
    headers = {"Authorization": f"Bearer {token_of(context, 'viktor')}"}
    own = fleet_sites.site_id(9)
    with (
        answering(create_app(context), context.live) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        with client.stream("GET", "/api/v1/changes", headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines).startswith("retry:")
            context.live.publish(frozenset({own, fleet_sites.site_id(1)}))
            data = next(line for line in lines if line.startswith("data:"))
            assert data == f'data: {{"sites": ["{own}"]}}'
        assert wait_until(lambda: context.live.readers == 0)
