"""Server-sent events: which sites changed, until the client hangs up, its session ends, or it stops reading.

Used by the API's `changes`; the pages may use it too. Names no content: a client that is told of a site asks for it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from archipel_fleet.api.context import Context
from archipel_fleet.live import EVERY_SITE, Subscription
from archipel_fleet.ports import StoreFailed
from archipel_fleet.records import Account, SiteQuery

HEARTBEAT = 15.0  # seconds; below the idle limits of usual proxies (60 s)
AT_LEAST_BETWEEN = 0.5  # seconds between two messages: a fleet in motion is told in batches
UNREAD_FOR = 30.0  # a client that takes nothing for so long is dropped; the buffers of the connection hold some minutes more
STREAMS = 200  # open at once, so that they never take all connections
CHECKED_ONE_BY_ONE = 50  # changed sites of a customer's stream; more are told as "look at everything"


class Unread(Exception):
    """The client has stopped reading."""


class EventStream(StreamingResponse):
    """A stream whose client has to read: a write that waits too long ends it."""

    def __init__(self, content: AsyncIterator[str], unread_for: float | None = None) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._content = content
        self._unread_for = UNREAD_FOR if unread_for is None else unread_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. The content is closed whatever ends the stream, as it holds a subscription."""
        listening = asyncio.ensure_future(_until_gone(receive))
        writing = asyncio.ensure_future(self._write(send))
        try:
            await asyncio.wait({listening, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, writing):
                task.cancel()
            done = await asyncio.gather(listening, writing, return_exceptions=True)
            close = getattr(self._content, "aclose", None)
            if close is not None:
                await close()
        for outcome in done:
            if isinstance(outcome, Exception) and not isinstance(outcome, Unread | OSError):
                raise outcome

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for text in self._content:
            await self._send(send, text.encode(), more=True)
        await self._send(send, b"", more=False)

    async def _send(self, send: Send, data: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self._unread_for):
                await send({"type": "http.response.body", "body": data, "more_body": more})
        except TimeoutError:
            raise Unread from None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def changes(context: Context, account: Account, token: str) -> AsyncGenerator[str, None]:
    """Yield what changed within the account's scope, as events, with a comment where nothing did."""
    subscription = context.live.subscribe()
    try:
        yield "retry: 3000\n: which sites changed; ask for them\n\n"
        while not subscription.closed:
            changed = await subscription.next(HEARTBEAT)
            if await _over(context, token):
                yield "event: over\ndata: {}\n\n"
                return
            seen = await _within(context, account, changed)
            yield message(seen) if seen else ": still here\n\n"
            await _pause(subscription)
    finally:
        subscription.close()


def message(sites: frozenset[str]) -> str:
    """Return one event; the site `*` stands for any number of sites."""
    return f"event: changed\ndata: {json.dumps({'sites': sorted(sites)})}\n\n"


async def _pause(subscription: Subscription) -> None:
    if not subscription.closed:
        await asyncio.sleep(AT_LEAST_BETWEEN)


async def _over(context: Context, token: str) -> bool:
    """Whether the session has ended meanwhile. A database that is away ends nobody's stream."""
    try:
        return await run_in_threadpool(context.accounts.still, token) is None
    except StoreFailed:
        return False


async def _within(context: Context, account: Account, changed: frozenset[str]) -> frozenset[str]:
    if account.customer is None or changed == EVERY_SITE:
        return changed
    if len(changed) > CHECKED_ONE_BY_ONE:
        return EVERY_SITE
    try:
        return await run_in_threadpool(_own, context, account, changed)
    except StoreFailed:
        return frozenset()


def _own(context: Context, account: Account, changed: frozenset[str]) -> frozenset[str]:
    now = context.clock.now()
    return frozenset(
        site
        for site in changed
        if any(
            row.site_id == site
            for row in context.store.sites(account.scope, SiteQuery(text=site, size=5), now).rows
        )
    )
