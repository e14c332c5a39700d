"""The stream that tells an open page to fetch its moving part again. Added by `routes.mount`.

It is the API's stream of changes, told less often and, for the page of one site, of that site only. It carries no content:
what the page fetches goes through the same scope as the page itself.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from archipel_fleet.api import stream
from archipel_fleet.api.auth import Asking, Here, current_token
from archipel_fleet.api.problems import Refusal

PATH = "/live"
BETWEEN = 1.0  # seconds beside those of the API's stream: a page need not move more often to be live
CHANGED = "event: changed\ndata: \n\n"
# An id makes the browser's script say, when it connects again, that it was here before.
GREETING = "retry: 1000\nid: here\n: pages fetch their moving part after each event\n\n"


router = APIRouter()


@router.get(PATH)
async def live(request: Request, here: Here, asking: Asking, site: str = "") -> Response:
    """Stream `changed` and `over` to a page."""
    if here.live.readers >= stream.STREAMS:
        refusal = Refusal(429, "too-many-streams", "Too many pages are open.", "Close some of them.")
        refusal.headers["Retry-After"] = "60"
        raise refusal
    missed = "last-event-id" in request.headers
    told = stream.changes(here, asking, current_token(request))
    return stream.EventStream(pushes(told, site, missed))


async def pushes(
    told: AsyncIterator[str], site: str, missed: bool, between: float = BETWEEN
) -> AsyncIterator[str]:
    """Yield what a page is told. `site` empty means any; `missed` that something may have changed before."""
    async with contextlib.aclosing(told) as texts:  # type: ignore[type-var]  # it is a generator, and closes
        yield GREETING
        if missed:
            yield CHANGED
        async for text in texts:
            if not text.startswith("event: changed"):
                yield text
            elif concerns(text, site):
                yield CHANGED
                # What changes meanwhile is gathered by the subscription.
                await asyncio.sleep(between)


def concerns(text: str, site: str) -> bool:
    """Whether an event of the API's stream is about this site, or about any where `site` is empty."""
    data = text.partition("data: ")[2]
    sites = json.loads(data)["sites"]
    return not site or site in sites or "*" in sites
