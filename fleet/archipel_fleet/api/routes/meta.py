"""Whether the controller lives, and its own measurements."""

from dataclasses import dataclass
from enum import StrEnum

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from archipel_contract.findings import Finding, Severity
from archipel_fleet.api.auth import Admin, Asking, Here
from archipel_fleet.api.routes.shapes import Language, refusals
from archipel_fleet.api.why import Explained, explain
from archipel_fleet.records import FindingRow

router = APIRouter(tags=["controller"])


class Condition(StrEnum):
    """One word about the controller."""

    OK = "ok"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Whether the controller works; says no more, as nobody needs to log in to ask."""

    status: Condition


def _bad(trouble: tuple[Finding, ...]) -> bool:
    return any(finding.severity is Severity.PROBLEM for finding in trouble)


@router.get(
    "/healthz",
    response_model=Life,
    responses={
        503: {"model": Life, "description": "Something of the controller does not work; its log says what."}
    },
    summary="Whether the controller works",
    openapi_extra={"security": []},
)
async def healthz(here: Here) -> Response:
    """Answer 200 and `ok`, or 503 and `degraded`. Needs no login."""
    bad = _bad(here.trouble())
    status = Condition.DEGRADED if bad else Condition.OK
    return JSONResponse({"status": status}, status_code=503 if bad else 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerState:
    """The controller itself."""

    version: str
    now: int
    """Its clock: milliseconds since 1970 UTC."""
    status: Condition
    findings: tuple[Explained, ...] = ()
    """What is wrong with it; shown to accounts of all customers only."""


@router.get("/api/v1/controller", responses=refusals(), summary="The controller itself")
def controller(here: Here, asking: Asking, lang: Language = "en") -> ControllerState:
    """Return the controller's version and clock, and what is wrong with it (broker, database, disk), gravest first."""
    trouble = here.trouble()
    rows = [FindingRow(finding=one, by_controller=True) for one in trouble]
    return ControllerState(
        version=here.version,
        now=here.clock.now(),
        status=Condition.DEGRADED if _bad(trouble) else Condition.OK,
        findings=explain(rows, lang) if asking.customer is None else (),
    )


@router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {}}, "description": "Measurements in the Prometheus text format."},
        **refusals(403),
    },
    response_class=Response,
    summary="Measurements of the controller for Prometheus",
)
def metrics(here: Here, admin: Admin) -> Response:
    """Return the controller's own measurements. Takes an admin's token."""
    return Response(generate_latest(here.registry), media_type=CONTENT_TYPE_LATEST)
