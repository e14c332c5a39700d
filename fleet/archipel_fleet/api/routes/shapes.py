"""What several calls share: which errors they declare, and how names and texts of a request may look."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import StringConstraints

from archipel_fleet.api.problems import FleetProblem

_WHEN = {
    401: "Nobody is logged in, or the session is over.",
    403: "This account may not do that.",
    404: "There is none, or none that this account may know of.",
    409: "It is there already, or is needed.",
    413: "The request is too large.",
    422: "The request is not as described here.",
    429: "Too many attempts or streams; the answer says when to come again.",
    503: "The database cannot be used now.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a call: these errors, and those that every call can meet."""
    every = (*statuses, 401, 413, 422, 503)
    return {status: {"model": FleetProblem, "description": _WHEN[status]} for status in sorted(every)}


# No control characters: PostgreSQL takes no NUL, and nobody's site is called by a line end.
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Text = Annotated[str, StringConstraints(max_length=100, pattern=PRINTABLE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PRINTABLE)]
SiteName = Annotated[
    str, Path(description="A site's id, or its name.", min_length=1, max_length=100, pattern=PRINTABLE)
]
NodeId = Annotated[str, Path(description="A node's id.", min_length=1, max_length=100, pattern=PRINTABLE)]
Language = Annotated[Literal["en", "de"], Query(description="Language of the sentences.")]
LATEST = 4_102_444_800_000  # the year 2100; larger numbers fit no database column of every engine
