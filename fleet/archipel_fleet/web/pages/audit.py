"""Who did what: in the whole fleet, and at one site. Added by `routes.mount`."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from archipel_fleet.api.auth import Asking, Here, context_of
from archipel_fleet.api.problems import not_found
from archipel_fleet.order_records import DeedRow
from archipel_fleet.web.pages.reading import refuse_bad_address
from archipel_fleet.web.rendering import Around, show, words_of
from archipel_fleet.web.views import ages, audit, query

LINES = 100  # of a page
router = APIRouter()


@router.get("/audit")
def fleet(request: Request, here: Here, asking: Asking) -> Response:
    """Show who did what in the fleet."""
    before = _before(request)
    rows = here.store.book.deeds(asking.scope, "", before, LINES)
    words = words_of(request)
    return _shown(request, words("audit.title"), rows, ("/audit", "", before))


@router.get("/sites/{site_id}/audit")
def site(site_id: str, request: Request, here: Here, asking: Asking) -> Response:
    """Show who did what at a site."""
    before = _before(request)
    found = here.store.site(asking.scope, site_id, here.clock.now())
    if found is None:
        raise not_found("site", site_id)
    known = found.site.site_id
    rows = here.store.book.deeds(asking.scope, known, before, LINES)
    title = words_of(request)("audit.title-site", site=found.site.name or known)
    return _shown(request, title, rows, (f"/sites/{known}/audit", known, before))


def _before(request: Request) -> int | None:
    with refuse_bad_address():
        for name in request.query_params:
            if name not in (*query.DISPLAY, "before"):
                raise query.BadAddress(name)
        given = request.query_params.get("before")
        return query.number("before", given, ages.LAST_MOMENT) if given else None


def _shown(
    request: Request, title: str, rows: Sequence[DeedRow], place: tuple[str, str, int | None]
) -> Response:
    path, site_id, before = place
    now = context_of(request).clock.now()
    return show(
        request,
        "audit.html",
        Around(key="" if site_id else "audit", title=title),
        lines=audit.lines(words_of(request), rows, now),
        path=path,
        site_id=site_id,
        is_head=before is None,
        older=rows[-1].received if len(rows) >= LINES else None,
    )
