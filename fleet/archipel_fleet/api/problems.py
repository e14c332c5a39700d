"""Every answer that is not good, in one shape: an error word, a sentence, and what to do next.

Called by the routes (`raise Refusal`), by the gate, and by the application for errors that nobody caught. A page shows
the same through `web`; here it is JSON.
"""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from archipel_contract import catalogue
from archipel_contract.findings import Finding, Severity
from archipel_fleet.ports import StoreFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetProblem:
    """The body of every answer that is not 2xx."""

    error: str
    """A stable word for programs, for example `not-found`."""
    message: str
    """What is wrong, in one sentence."""
    remedy: str = ""
    """What to do about it, where something can be done."""


class Refusal(Exception):
    """This request gets `problem` with the HTTP status `status`."""

    def __init__(self, status: int, error: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.problem = FleetProblem(error=error, message=message, remedy=remedy)
        self.headers: dict[str, str] = {}


def response(status: int, problem: FleetProblem, headers: dict[str, str] | None = None) -> Response:
    """Return the answer for a problem."""
    body = {"error": problem.error, "message": problem.message, "remedy": problem.remedy}
    return JSONResponse(body, status_code=status, headers=headers)


def not_logged_in() -> Refusal:
    """Nobody has said who they are, or the session is over."""
    refusal = Refusal(
        401, "not-logged-in", "This needs a login.", "Log in on the web page, or with: archipel fleet login"
    )
    refusal.headers["WWW-Authenticate"] = 'Bearer realm="archipel"'
    return refusal


def not_permitted(role: str) -> Refusal:
    """Somebody is logged in who may not do this."""
    return Refusal(403, "not-permitted", f"This takes the role {role}.", "Ask an admin of this controller.")


# what is named -> the command that lists them; of anything else the sites lead to it
LISTS = {
    "account": "accounts list",
    "customer": "customers list",
    "device": "devices",
    "node": "nodes",
    "order": "orders",
    "result of the order": "orders",
    "token": "token list",
}


def not_found(what: str, name: str) -> Refusal:
    """There is none, or none that this account may know of: both get the same words."""
    command = LISTS.get(what, "sites")
    return Refusal(
        404, "not-found", f"There is no {what} {name!r}.", f"See what there is: archipel fleet {command}"
    )


def store_failed(error: StoreFailed) -> Refusal:
    """The database cannot be used now."""
    finding = database_finding(error)
    text = catalogue.words(finding)
    refusal = Refusal(503, error.code, text.title + ".", text.remedy)
    refusal.headers["Retry-After"] = "5"
    return refusal


def database_finding(error: StoreFailed) -> Finding:
    """Return the finding of a database that failed, with its words where the catalogue has them."""
    try:
        return catalogue.finding(error.code, (str(error),))
    except catalogue.CodeUnknown:
        return Finding(
            code=error.code,
            severity=Severity.PROBLEM,
            summary="The controller's database cannot be used now",
            next_step="See what the controller's log says, and try again.",
        )


def by_status(status: int) -> FleetProblem:
    """Return words for an error the framework found, such as an unknown path."""
    word = HTTPStatus(status).phrase.lower().replace(" ", "-")
    sentences = {
        404: ("not-found", "There is nothing at this address."),
        422: ("request-invalid", "The request cannot be read."),
        413: ("too-large", "The request is too large."),
        405: ("method-not-allowed", "This address does not take that method."),
    }
    error, message = sentences.get(status, (word, f"The request was refused: {HTTPStatus(status).phrase}."))
    return FleetProblem(error=error, message=message, remedy="The calls there are: /api/openapi.json")
