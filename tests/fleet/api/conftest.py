"""A controller's HTTP side over the fake store; made before a test's event loop runs, as `serve` makes it."""

import pytest
from fastapi import FastAPI

from archipel_fleet.api.context import Context
from tests.fakes.fleet_context import fake_context
from tests.fleet.api.asking import whole_app


@pytest.fixture
def context() -> Context:
    """The context of `app`."""
    return fake_context()


@pytest.fixture
def app(context: Context) -> FastAPI:
    """API and pages."""
    return whole_app(context)
