"""Why a site is not OK, and what a finding means, in English or German."""

from typing import Annotated

from fastapi import APIRouter, Path

from archipel_contract import catalogue
from archipel_fleet.api.auth import Asking, Here
from archipel_fleet.api.noticed import with_noticed
from archipel_fleet.api.problems import not_found
from archipel_fleet.api.routes.shapes import PRINTABLE, Language, SiteName, refusals
from archipel_fleet.api.why import Explained, Why, why

router = APIRouter(tags=["findings"])

Code = Annotated[
    str, Path(description="The code of a finding.", min_length=1, max_length=100, pattern=PRINTABLE)
]


@router.get("/sites/{site}/why", responses=refusals(404), summary="Why a site is not OK")
def explain_site(site: SiteName, here: Here, asking: Asking, lang: Language = "en") -> Why:
    """Return contact and health in sentences, and every finding with its cause and the next step."""
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    return why(with_noticed(here, found), lang)


@router.get("/findings/{code}", responses=refusals(404), summary="What a finding means")
def finding(code: Code, asking: Asking, lang: Language = "en") -> Explained:
    """Return the words of a finding; names in braces stand for a machine's values."""
    try:
        known = catalogue.entry(code)
    except catalogue.CodeUnknown as error:
        raise not_found("finding", code) from error
    text = known.texts[lang]
    return Explained(
        code=code,
        severity=known.severity,
        title=text.title,
        cause=text.cause,
        remedy=text.remedy,
        runbook=text.runbook,
    )
