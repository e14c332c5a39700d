"""What the pages share when they read a request. Called by the pages."""

import contextlib
from collections.abc import Iterator

from fastapi import Request

from archipel_fleet.api.problems import Refusal
from archipel_fleet.web.views.query import BadAddress

BAD_ADDRESS = "address-not-understood"


def address_of(request: Request) -> str:
    """Return the path and query the page was asked by."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


@contextlib.contextmanager
def refuse_bad_address() -> Iterator[None]:
    """Turn an address that is not understood into a refusal (400) that names what."""
    try:
        yield
    except BadAddress as error:
        raise Refusal(400, BAD_ADDRESS, error.name[:50]) from error
