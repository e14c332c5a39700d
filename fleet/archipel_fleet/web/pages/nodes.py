"""All nodes. Added by `routes.mount`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from archipel_fleet.api.auth import Asking, Here
from archipel_fleet.web.pages.reading import address_of, refuse_bad_address
from archipel_fleet.web.pages.sites import STREAM
from archipel_fleet.web.rendering import Around, show, words_of
from archipel_fleet.web.views import ages, nodes, query
from archipel_fleet.web.views.paging import pager

router = APIRouter()


@router.get("/nodes")
def all_nodes(request: Request, here: Here, asking: Asking) -> Response:
    """Show a page of nodes."""
    with refuse_bad_address():
        asked = query.nodes(request.query_params.multi_items())
    now = here.clock.now()
    page = here.store.nodes(asking.scope, now, text=asked.text, page=asked.page, size=query.SIZE)
    words = words_of(request)
    around = Around(
        key="nodes",
        title=words("nodelist.title"),
        live_part=address_of(request),
        stream=STREAM,
        summary=here.store.summary(asking.scope, now),
        away_window=ages.DAY,
    )
    return show(
        request,
        "nodes.html",
        around,
        text=asked.text,
        total=words.count("nodelist.count", page.total),
        lines=[nodes.line(words, one, now) for one in page.rows],
        pages=pager(words, page, lambda number: query.nodes_written(asked.text, number)),
    )
