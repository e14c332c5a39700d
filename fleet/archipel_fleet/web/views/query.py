"""The address of a list: read into a query, and written again with one thing changed.

Called by the routes and the list's views. What an address may hold is strict, so that a mistyped one is refused with a
sentence instead of showing all sites as if they matched.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from archipel_contract.status import Health
from archipel_fleet.records import ContactState, SiteQuery, SiteSort

LONGEST = 200  # characters of one value
MOST_PAGES = 100_000
SIZES = (25, 50, 100, 200)
SIZE = 50
DISPLAY = ("lang", "theme")  # how the page looks, not what it shows
_TEXTS = {
    "q": "text",
    "customer": "customer",
    "version": "k3s_version",
    "os": "os_name",
    "finding": "finding",
}
_TRUTHS = {"yes": True, "no": False}

E = TypeVar("E", bound=StrEnum)


class BadAddress(Exception):
    """The address holds something the page does not understand; `name` is which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def sites(pairs: Iterable[tuple[str, str]]) -> SiteQuery:
    """Return the query of an address of the list of sites; raise BadAddress. Empty values count as not given."""
    found: dict[str, Any] = {}
    contacts: list[ContactState] = []
    healths: list[Health] = []
    for name, value in pairs:
        if name in DISPLAY or not value:
            continue
        if len(value) > LONGEST or "\0" in value:
            raise BadAddress(name)
        if name == "contact":
            contacts.append(_one(ContactState, name, value))
        elif name == "health":
            healths.append(_one(Health, name, value))
        elif name in _TEXTS:
            found[_TEXTS[name]] = value.strip()
        else:
            found |= _other(name, value)
    return SiteQuery(contact=tuple(contacts), health=tuple(healths), **found)


def _other(name: str, value: str) -> dict[str, Any]:
    if name == "rehearsed" and value in _TRUTHS:
        return {"rehearsed": _TRUTHS[value]}
    if name == "sort":
        return {"sort": _one(SiteSort, name, value)}
    if name == "descending" and value in _TRUTHS:
        return {"descending": _TRUTHS[value]}
    if name == "page":
        return {"page": number(name, value, MOST_PAGES)}
    if name == "size" and value.isascii() and value.isdigit() and int(value) in SIZES:
        return {"size": int(value)}
    raise BadAddress(name)


def number(name: str, value: str, most: int) -> int:
    """Return a positive number of an address; raise BadAddress."""
    if not (value.isascii() and value.isdigit()) or len(value) > 15 or not 1 <= int(value) <= most:
        raise BadAddress(name)
    return int(value)


def _one(kind: type[E], name: str, value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise BadAddress(name) from None


def written(query: SiteQuery) -> str:
    """Return the query part of an address (`?contact=overdue&page=2`); what has its default is left out."""
    plain = {one.name: one.default for one in fields(SiteQuery)}
    pairs: list[tuple[str, str]] = [(n, getattr(query, f)) for n, f in _TEXTS.items() if getattr(query, f)]
    pairs += [("contact", one) for one in query.contact]
    pairs += [("health", one) for one in query.health]
    if query.rehearsed is not None:
        pairs.append(("rehearsed", "yes" if query.rehearsed else "no"))
    if query.sort != plain["sort"]:
        pairs.append(("sort", query.sort))
    if query.descending:
        pairs.append(("descending", "yes"))
    pairs += [(n, str(getattr(query, n))) for n in ("page", "size") if getattr(query, n) != plain[n]]
    return f"?{urlencode(pairs)}" if pairs else ""


def with_change(query: SiteQuery, **changes: Any) -> str:
    """Return the query part with something changed, from its first page on."""
    return written(replace(query, **{"page": 1, **changes}))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesAsked:
    """What the list of nodes is asked for."""

    text: str = ""
    page: int = 1


def nodes(pairs: Iterable[tuple[str, str]]) -> NodesAsked:
    """Return what an address of the list of nodes asks for; raise BadAddress."""
    asked = NodesAsked()
    for name, value in pairs:
        if name in DISPLAY or not value:
            continue
        if len(value) > LONGEST or "\0" in value or name not in ("q", "page"):
            raise BadAddress(name)
        if name == "q":
            asked = replace(asked, text=value.strip())
        else:
            asked = replace(asked, page=number(name, value, MOST_PAGES))
    return asked


def nodes_written(text: str, page: int) -> str:
    """Return the query part of an address of the list of nodes."""
    pairs = [("q", text)] * bool(text) + [("page", str(page))] * (page > 1)
    return f"?{urlencode(pairs)}" if pairs else ""
