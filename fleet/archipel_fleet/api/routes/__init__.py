"""The calls of the API, one module for each thing they are about."""

from fastapi import FastAPI

from archipel_fleet.api.routes import accounts, changes, findings, meta, session, sites

ROUTERS = (session.router, sites.router, findings.router, changes.router, accounts.router)


def add(app: FastAPI) -> None:
    """Add every call to the application."""
    app.include_router(meta.router)
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1")
