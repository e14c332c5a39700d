"""The fleet, its sites and nodes: what is, what was, and why. All within the scope of the account that asks."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from archipel_contract.status import Health
from archipel_fleet.api.auth import Asking, Here
from archipel_fleet.api.noticed import with_noticed
from archipel_fleet.api.problems import not_found
from archipel_fleet.api.routes.shapes import LATEST, NodeId, SiteName, Text, refusals
from archipel_fleet.records import (
    ContactState,
    EventRow,
    FleetSummary,
    MetricSeries,
    NodeRow,
    Page,
    SiteDetail,
    SiteQuery,
    SiteRow,
    SiteSort,
    Span,
)

router = APIRouter(tags=["fleet"])

DAY = 86_400_000
PAGE_SIZE = 500  # the largest page


class SiteFilter(BaseModel):
    """Which sites, in which order, from which page."""

    model_config = ConfigDict(extra="forbid")
    text: Text = Field("", description="Part of the name or id; case does not matter.")
    contact: list[ContactState] = Field(
        [], max_length=10, description="Only sites with one of these contacts."
    )
    health: list[Health] = Field(
        [], max_length=10, description="Only sites with one of these healths, as last heard."
    )
    customer: Text = Field("", description="Only sites of this customer.")
    k3s_version: Text = Field("", description="Only sites with a node of this k3s version.")
    os_name: Text = Field("", description="Only sites with a node of this operating system.")
    finding: Text = Field("", description="Only sites with this finding.")
    rehearsed: bool | None = Field(None, description="Only rehearsed sites, or only real ones.")
    sort: SiteSort = Field(SiteSort.NAME, description="What to order by.")
    descending: bool = Field(False, description="Turn the order round.")
    page: int = Field(1, ge=1, le=100_000, description="1 is the first page.")
    size: int = Field(50, ge=1, le=PAGE_SIZE, description="Sites on a page.")

    def query(self) -> SiteQuery:
        """Return it as the store takes it."""
        given = self.model_dump()
        return SiteQuery(**{**given, "contact": tuple(self.contact), "health": tuple(self.health)})


Since = Annotated[
    int | None, Query(ge=0, le=LATEST, description="From when; a day before `until` by default.")
]
Until = Annotated[int | None, Query(ge=0, le=LATEST, description="To when; now by default.")]


@router.get("/summary", responses=refusals(), summary="The fleet in numbers")
def summary(here: Here, asking: Asking) -> FleetSummary:
    """Count sites by contact and health, and say when the controller itself was away."""
    return here.store.summary(asking.scope, here.clock.now())


@router.get("/sites", responses=refusals(), summary="Sites")
def sites(here: Here, asking: Asking, wanted: Annotated[SiteFilter, Query()]) -> Page[SiteRow]:
    """Return one page of sites with contact, health, and the age of both."""
    return here.store.sites(asking.scope, wanted.query(), here.clock.now())


@router.get("/sites/{site}", responses=refusals(404), summary="One site")
def site(site: SiteName, here: Here, asking: Asking) -> SiteDetail:
    """Return all about one site: its nodes, conditions, findings, pods, declared gaps, and what its machines are."""
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    return with_noticed(here, found)


@router.get("/nodes", responses=refusals(), summary="Nodes")
def nodes(
    here: Here,
    asking: Asking,
    site_id: Annotated[Text, Query(description="Only nodes of this site.")] = "",
    text: Annotated[Text, Query(description="Part of the name or id; case does not matter.")] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    size: Annotated[int, Query(ge=1, le=PAGE_SIZE)] = 50,
) -> Page[NodeRow]:
    """Return one page of nodes."""
    return here.store.nodes(asking.scope, here.clock.now(), site_id, text, page, size)


@router.get("/sites/{site}/events", responses=refusals(404), summary="The timeline of a site")
def events(
    site: SiteName,
    here: Here,
    asking: Asking,
    before: Annotated[int | None, Query(ge=0, le=LATEST, description="Only what happened earlier.")] = None,
    node_id: Annotated[Text, Query(description="Only events of this node.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> tuple[EventRow, ...]:
    """Return events, newest first; go on with `before` set to the oldest `at`."""
    found = _id_of(site, here, asking)
    return here.store.events(asking.scope, found, before, node_id, limit)


class Spans(BaseModel):
    """Contact and health over time."""

    contact: tuple[Span, ...]
    health: tuple[Span, ...]


@router.get("/sites/{site}/spans", responses=refusals(404), summary="Contact and health of a site over time")
def spans(site: SiteName, here: Here, asking: Asking, since: Since = None) -> Spans:
    """Return when contact and health were what, without holes, oldest first, until now."""
    found = _id_of(site, here, asking)
    now = here.clock.now()
    start = min(now - DAY if since is None else since, now)
    return Spans(
        contact=here.store.contact_spans(asking.scope, found, start, now),
        health=here.store.health_spans(asking.scope, found, start, now),
    )


@router.get("/nodes/{node_id}/metrics", responses=refusals(404), summary="Measurements of a node")
def metrics(
    node_id: NodeId, here: Here, asking: Asking, since: Since = None, until: Until = None
) -> MetricSeries:
    """Return a node's samples: means of five minutes unless the node was told otherwise."""
    end = here.clock.now() if until is None else until
    found = here.store.metrics(asking.scope, node_id, max(0, end - DAY) if since is None else since, end)
    if found is None:
        raise not_found("node", node_id)
    return found


def _id_of(site: str, here: Here, asking: Asking) -> str:
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    return found.site.site_id
