"""All sites, and one site.

Added by `routes.mount`. A page and its moving part are one address: htmx asks for it with a header and gets the part.
"""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from archipel_contract.commands import Action
from archipel_fleet.api.auth import Asking, Here
from archipel_fleet.api.context import Context
from archipel_fleet.api.noticed import with_noticed
from archipel_fleet.api.problems import not_found
from archipel_fleet.orders import rules
from archipel_fleet.records import Account, MetricSeries, SiteDetail
from archipel_fleet.web.pages.reading import address_of, refuse_bad_address
from archipel_fleet.web.rendering import Around, show, words_of
from archipel_fleet.web.views import ages, query, site, sites

EVENTS = 50  # of a timeline's page
NODES_WITH_CURVES = 12  # of a site; more would make the page heavier than it helps
ORDERS = 10  # of a site, the newest
VERBS = (
    Action.LOGS,
    Action.DOCTOR,
    Action.SUPPORT,
    Action.RESTART,
    Action.KUBECTL,
)  # what a page has a button for
STREAM = "/live"


router = APIRouter()


@router.get("/")
def root() -> Response:
    """Lead to the list."""
    return RedirectResponse("/sites", status_code=303)


@router.get("/sites")
def all_sites(request: Request, here: Here, asking: Asking) -> Response:
    """Show a page of sites."""
    with refuse_bad_address():
        asked = query.sites(request.query_params.multi_items())
    now = here.clock.now()
    summary = here.store.summary(asking.scope, now)
    page = here.store.sites(asking.scope, asked, now)
    words = words_of(request)
    view = sites.view(words, asked, page, summary, now, every_customer=asking.customer is None)
    around = Around(
        key="sites",
        title=words("list.title"),
        live_part=address_of(request),
        stream=STREAM,
        summary=summary,
        away_window=ages.DAY,
    )
    return show(request, "sites.html", around, view=view)


@router.get("/sites/{site_id}")
def one_site(site_id: str, request: Request, here: Here, asking: Asking) -> Response:
    """Show one site."""
    with refuse_bad_address():
        before = _before(request)
    now = here.clock.now()
    found = here.store.site(asking.scope, site_id, now)
    if found is None:
        raise not_found("site", site_id)
    found = with_noticed(here, found)
    words = words_of(request)
    view = site.view(words, found, _history(here, asking, found, before, now), now)
    around = Around(
        key="sites",
        title=view.name,
        live_part=address_of(request),
        stream=f"{STREAM}?site={found.site.site_id}",
        summary=here.store.summary(asking.scope, now),
        away_window=site.WINDOW,
    )
    verbs = [one for one in VERBS if rules.may(asking, one)]
    return show(request, "site.html", around, view=view, verbs=verbs)


def _before(request: Request) -> int | None:
    for name in request.query_params:
        if name not in (*query.DISPLAY, "before"):
            raise query.BadAddress(name)
    given = request.query_params.get("before")
    return query.number("before", given, ages.LAST_MOMENT) if given else None


def _history(here: Context, asking: Account, found: SiteDetail, before: int | None, now: int) -> site.History:
    store, scope, site_id = here.store, asking.scope, found.site.site_id
    metrics: dict[str, MetricSeries] = {}
    for node in found.nodes[:NODES_WITH_CURVES]:
        series = store.metrics(scope, node.node_id, now - site.METRICS_WINDOW, now)
        if series is not None:
            metrics[node.node_id] = series
    return site.History(
        events=store.events(scope, site_id, before=before, limit=EVENTS),
        contact=store.contact_spans(scope, site_id, now - site.WINDOW, now),
        health=store.health_spans(scope, site_id, now - site.WINDOW, now),
        metrics=metrics,
        before=before,
        limit=EVENTS,
        orders=store.book.orders(scope, site_id, limit=ORDERS),
    )
