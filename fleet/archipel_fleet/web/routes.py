"""Adds the pages to the application: every page, the stream of changes, assets, and errors as pages.

Called by `serve` after `api.app.create_app`, whose gate asks for a login before anything here runs.
"""

import mimetypes

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from archipel_contract.catalogue import web as words
from archipel_fleet.api.context import Context
from archipel_fleet.web.pages import accounts, audit, devices, errors, nodes, orders, session, sites, stream
from archipel_fleet.web.rendering import STATIC, YEAR, Rendering, templates


def mount(app: FastAPI, context: Context) -> None:
    """Add the pages to `app`, which `create_app` made of the same context."""
    prepare()
    app.state.rendering = Rendering(context.clock)
    app.state.problem_page = errors.page
    for kind in (sites, nodes, devices, session, accounts, orders, audit, stream):
        app.include_router(kind.router, include_in_schema=False)
    app.mount("/static", Assets(directory=STATIC), name="static")


def prepare() -> None:
    """Read words and templates from the package, and the system's table of file types; call it before a loop runs."""
    words.table()
    templates()
    if not mimetypes.inited:
        mimetypes.init()


class Assets(StaticFiles):
    """The assets. Their addresses change with their content, so that a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See StaticFiles."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return response
