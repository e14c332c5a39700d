"""The pages of a list: where one is, what comes before and after. Called by the views of lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archipel_contract.catalogue.web import Words
from archipel_fleet.records import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Addresses of the neighbours, None where there is none."""

    said: str
    previous: str | None
    next: str | None
    shown: bool  # whether there is more than one page


def pager(words: Words, page: Page[Any], address: Callable[[int], str]) -> Pager:
    """Return the pager; `address` gives the query part of a page's number."""
    first = (page.page - 1) * page.size + 1
    last = first + len(page.rows) - 1
    beyond = not page.rows
    return Pager(
        said="" if beyond else words("page.range", first=first, last=last, total=page.total),
        # From beyond the end one step back would still be beyond it.
        previous=address(1 if beyond else page.page - 1) if page.page > 1 else None,
        next=address(page.page + 1) if last < page.total and not beyond else None,
        shown=page.page > 1 or page.total > len(page.rows),
    )
