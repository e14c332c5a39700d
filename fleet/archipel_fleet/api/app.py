"""The application: gate, errors, the calls of the API. `web` adds its pages to it, `serve` gives it to the server."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from archipel_fleet.api import problems, routes
from archipel_fleet.api.auth import COOKIE
from archipel_fleet.api.context import Context
from archipel_fleet.api.gate import Gate
from archipel_fleet.api.problems import FleetProblem, Refusal
from archipel_fleet.ports import StoreFailed

DESCRIPTION = """\
What the fleet's web page and `archipel fleet` are made of. Times are milliseconds since 1970 UTC by the controller's clock.

Log in with `POST /api/v1/login` and send the token as `Authorization: Bearer TOKEN`; browsers use a cookie. An account of
one customer sees that customer's sites and is answered "not found" for all others. Unknown fields of answers must be
ignored: newer controllers send more. Every answer that is not good is a FleetProblem.
"""


SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token of `POST /api/v1/login`."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Of the login page, for browsers.",
    },
}


class Application(FastAPI):
    """FastAPI whose document says how to log in; the gate asks for it, which FastAPI cannot know."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["securitySchemes"] = SECURITY_SCHEMES
            document["security"] = [{name: []} for name in SECURITY_SCHEMES]
        return super().openapi()


def described(version: str) -> Application:
    """Return the application's calls without a controller behind them, for its document."""
    app = Application(
        title="Archipel fleet",
        version=version,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its script comes from elsewhere, and a controller may have no way there
        redoc_url=None,
        redirect_slashes=False,
    )
    routes.add(app)
    return app


def create_app(context: Context) -> FastAPI:
    """Return the application with every call of the API and no pages."""
    app = described(context.version)
    app.state.context = context
    app.state.accounts = context.accounts
    app.state.problem_page = None  # set by `web`: (request, status, problem) -> the page that shows it
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(StoreFailed, _store_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)
    app.add_middleware(Gate, context=context)
    return app


def _answer(request: Request, status: int, problem: FleetProblem, headers: dict[str, str]) -> Response:
    page = request.app.state.problem_page
    if page is not None and not request.url.path.startswith(("/api/", "/metrics", "/healthz")):
        shown: Response = page(request, status, problem)
        shown.headers.update(headers)
        return shown
    return problems.response(status, problem, headers)


def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # registered for it
    return _answer(request, error.status, error.problem, error.headers)


def _store_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreFailed)  # registered for it
    return _refusal(request, problems.store_failed(error))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for it
    said = [f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in error.errors()]
    message = "; ".join(said[:5])
    problem = FleetProblem(error="request-invalid", message=message[:1000], remedy="See /api/openapi.json")
    return _answer(request, 422, problem, {})


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for it
    # 400 is what FastAPI makes of a body that is no text at all; one that is no JSON gets 422 from it.
    status = 422 if error.status_code == 400 else error.status_code
    return _answer(request, status, problems.by_status(status), dict(error.headers or {}))


def _defect(request: Request, error: Exception) -> Response:
    problem = FleetProblem(
        error="defect",
        message="The controller met an error of its own while answering.",
        remedy="The controller's log says more; please report it.",
    )
    return _answer(request, 500, problem, {})
