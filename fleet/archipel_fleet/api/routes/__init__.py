"""The calls of the API, one module for each thing they are about."""

from fastapi import FastAPI

from archipel_fleet.api.routes import (
    accounts,
    audit,
    changes,
    devices,
    findings,
    meta,
    orders,
    session,
    sites,
)

ROUTERS = (
    session.router,
    sites.router,
    findings.router,
    changes.router,
    accounts.router,
    devices.router,
    orders.router,
    audit.router,
)


def add(app: FastAPI) -> None:
    """Add every call to the application."""
    app.include_router(meta.router)
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1")
