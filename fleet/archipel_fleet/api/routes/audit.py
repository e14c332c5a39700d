"""Who did what: at the fleet and on its devices; and whether the journals are whole."""

from typing import Annotated

from fastapi import APIRouter, Query

from archipel_fleet.api.auth import Admin, Asking, Here
from archipel_fleet.api.problems import not_found
from archipel_fleet.api.routes.shapes import LATEST, SiteName, refusals
from archipel_fleet.order_records import Chain, DeedRow

router = APIRouter(tags=["audit"])

Before = Annotated[int | None, Query(ge=0, le=LATEST, description="Only what was received earlier.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/audit", responses=refusals(), summary="Who did what in the fleet")
def fleet(here: Here, asking: Asking, before: Before = None, limit: Limit = 100) -> tuple[DeedRow, ...]:
    """Return what was done at the fleet and on devices, newest first; go on with `before` set to the oldest `received`."""
    return here.store.book.deeds(asking.scope, "", before, limit)


@router.get("/sites/{site}/audit", responses=refusals(404), summary="Who did what at a site")
def site(
    site: SiteName, here: Here, asking: Asking, before: Before = None, limit: Limit = 100
) -> tuple[DeedRow, ...]:
    """Return what was done at one site, newest first."""
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    return here.store.book.deeds(asking.scope, found.site.site_id, before, limit)


@router.get("/audit/check", responses=refusals(403), summary="Whether the journals are whole")
def check(here: Here, admin: Admin) -> tuple[Chain, ...]:
    """Follow every journal from its first entry, the fleet's own first; one that was changed names its problem."""
    return here.store.book.verify_deeds()
