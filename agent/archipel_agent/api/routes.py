"""From a request line to an endpoint of the table, with every way in which a request can be wrong about it.

Pure; called by the connection for each request. Errors are `Refused`, like those of the service.
"""

import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from archipel_agent.service import Refused
from archipel_contract.api import AccessRole, Endpoint


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and the words of the request: path parts and query together."""

    endpoint: Endpoint
    words: dict[str, str]


class MethodRefused(Refused):
    """The path exists, but not with this method; `allowed` is the value of the Allow header."""

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(405, "method", f"{path} does not take {method}", f"Use {allowed}.")
        self.allowed = allowed


class Router:
    """Finds endpoints by method and path."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._patterns = [(_pattern(one.path), one) for one in endpoints]

    def find(self, method: str, target: str) -> Route:
        """Return the route of `target` (path and query as sent); raise Refused with 404, 405 or 400."""
        path, _, query = target.partition("?")
        matching = [(match, one) for pattern, one in self._patterns if (match := pattern.fullmatch(path))]
        if not matching:
            raise Refused(
                404,
                "unknown-path",
                f"there is nothing at {path[:200]}",
                "See /v1/alive and the API reference.",
            )
        for match, one in matching:
            if one.method == method:
                parts = {name: urllib.parse.unquote(value) for name, value in match.groupdict().items()}
                return Route(one, parts | _query(one, query))
        raise MethodRefused(method[:20], path[:200], ", ".join(sorted({one.method for _, one in matching})))


def may(role: AccessRole | None, endpoint: Endpoint, name: str) -> None:
    """Raise Refused with 403 unless `role` is enough for the endpoint."""
    if role is not None and role >= endpoint.role:
        return
    has = "no role here" if role is None else f"the role {role.name.lower()}"
    raise Refused(
        403,
        "not-permitted",
        f"{name} has {has}; {endpoint.name} takes the role {endpoint.role.name.lower()}",
        "Run it as root (sudo), or have an administrator add the user to the group archipel (to look) "
        "or to archipel and archipel-technician (to repair).",
    )


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    # Every second part is the name of a placeholder, which stands for one non-empty path segment.
    texts = [f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)]
    return re.compile("".join(texts))


def _query(endpoint: Endpoint, query: str) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"
        )
    except ValueError as error:
        raise Refused(400, "query", f"the query cannot be read: {error}") from error
    words: dict[str, str] = {}
    for name, value in pairs:
        if name not in endpoint.query or name in words:
            known = ", ".join(sorted(endpoint.query)) or "none"
            what = "is given twice" if name in words else "is unknown"
            raise Refused(400, "query", f"{name!r} {what}; {endpoint.name} takes: {known}")
        words[name] = value
    return words
