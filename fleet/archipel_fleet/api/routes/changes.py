"""The stream of changes."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from archipel_fleet.api import stream
from archipel_fleet.api.auth import Asking, Here, current_token
from archipel_fleet.api.problems import Refusal
from archipel_fleet.api.routes.shapes import refusals

router = APIRouter(tags=["fleet"])


@router.get(
    "/changes",
    response_class=Response,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": 'Events `changed` with `{"sites": [ids]}`, and `over` when the session has ended.',
        },
        **refusals(429),
    },
    summary="Which sites change, as server-sent events",
)
async def changes(here: Here, asking: Asking, request: Request) -> Response:
    """Stream the ids of sites that change, within what the account sees, in batches of half a second.

    The id `*` stands for any number of sites: ask for everything again. A comment comes at least every 15 seconds. There is
    no history: who connects again asks for everything again. A client that does not read is disconnected.
    """
    if here.live.readers >= stream.STREAMS:
        refusal = Refusal(
            429, "too-many-streams", "Too many streams are open.", "Close some, or ask now and then."
        )
        refusal.headers["Retry-After"] = "60"
        raise refusal
    return stream.EventStream(stream.changes(here, asking, current_token(request)))
