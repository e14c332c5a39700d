"""Who did what, as lines in the reader's language. Called by the pages and by `archipel fleet`."""

from collections.abc import Sequence
from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_fleet.order_records import DeedRow
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.ages import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedLine:
    """One line."""

    when: Moment | None
    shown: str
    sure: bool
    who: str
    what: str
    where: str
    site_id: str
    outcome: str
    detail: str
    source: str


def lines(words: Words, rows: Sequence[DeedRow], now: int) -> tuple[DeedLine, ...]:
    """Return who did what."""
    return tuple(_line(words, one, now) for one in rows)


def _line(words: Words, row: DeedRow, now: int) -> DeedLine:
    key = f"audit.do-{row.action}"
    told = [f"{name} {value}" for name, value in sorted(row.params.items()) if name not in ("site", "node")]
    return DeedLine(
        when=ages.moment(words, row.at, now),
        shown=ages.full(row.at),
        sure=row.sure,
        who=row.actor.removeprefix("fleet:"),
        what=words(key) if words.has(key) else row.action,
        where=row.node_name or row.node_id or row.site_name or row.site_id,
        site_id=row.site_id,
        outcome=row.outcome,
        detail=" · ".join(one for one in (row.detail, ", ".join(told)) if one),
        source=words("audit.by-device" if row.by_device else "audit.by-fleet"),
    )
