"""Asking an application without a server: as one of the fake accounts, and over every route it has."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.routing import Mount

from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from archipel_fleet.web.routes import mount

ORIGIN = "http://127.0.0.1:8470"
ENDLESS = ("/api/v1/changes", "/live")  # streams, which have tests of their own


def whole_app(context: Context) -> FastAPI:
    """The application as `serve` has it: API and pages."""
    app = create_app(context)
    mount(app, context)
    return app


@asynccontextmanager
async def asking(app: FastAPI, token: str = "", cookie: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A client with the token as bearer or cookie, or with neither. What breaks in the application is an answer here."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Cookie": f"archipel_session={cookie}"} if cookie else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        yield client


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path the application answers, the framework's own and mounted ones too."""
    for route in flat(app.routes):
        if isinstance(route, Mount):
            yield "GET", f"{route.path}/anything"
            continue
        for method in sorted(route.methods or ()):
            yield method, route.path


def flat(found: Any) -> Iterator[Any]:
    """Routes, with those of included routers in the place of these: FastAPI keeps an included router as one entry."""
    for route in found:
        inside = getattr(route, "effective_candidates", None)
        if inside is None:
            yield route
        else:
            yield from flat([*inside(), *route.effective_low_priority_routes()])


def filled(path: str, **values: str) -> str:
    """A path with its parameters filled in; those not given become `x`."""
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: values.get(match[1], "x"), path)
