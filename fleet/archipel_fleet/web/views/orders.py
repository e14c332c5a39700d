"""Orders as lines and as a page of their own, in the reader's language. Called by the pages and by `archipel fleet`."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_fleet.order_records import CANCELLABLE, OrderResult, OrderRow, OrderState
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import Badge

SHOWN_BYTES = 256 << 10  # of a result, on its page; the whole of it can be fetched
STATES = {
    OrderState.WAITING: ("clock", "warn"),
    OrderState.QUEUED: ("clock", "calm"),
    OrderState.SENT: ("turn", "calm"),
    OrderState.RUNNING: ("turn", "calm"),
    OrderState.DONE: ("check", "good"),
    OrderState.FAILED: ("cross", "bad"),
    OrderState.REFUSED: ("cross", "bad"),
    OrderState.EXPIRED: ("triangle", "warn"),
    OrderState.CANCELLED: ("pause", "mute"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One order."""

    id: str
    node: str
    what: str
    badge: Badge
    asked_by: str
    signed_by: str
    issued: Moment | None
    expires: Moment | None
    ended: Moment | None
    text: str
    code: str
    has_result: bool
    can_cancel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One order with what came of it."""

    line: OrderLine
    site_id: str
    explained: str
    result: str
    """As text, where it is text that fits on a page."""
    size: str
    cut: bool
    progress: str


def badge(words: Words, state: OrderState) -> Badge:
    """Return the badge of how far an order has come."""
    mark, tone = STATES[state]
    return Badge(word=words(f"order.{state}"), mark=mark, tone=tone)


def what(row: OrderRow) -> str:
    """Return an order as one would type it: `logs k3s`, `kubectl get pods`."""
    said = [str(row.action)]
    for key, value in sorted(row.arguments.items(), reverse=True):
        said += [str(one) for one in value] if isinstance(value, list) else [f"{key}={value}"]
    return " ".join(said)


def line(words: Words, row: OrderRow, now: int) -> OrderLine:
    """Return one order as a line."""
    is_open = row.ended is None
    return OrderLine(
        id=row.id,
        node=row.node_name or row.node_id,
        what=what(row),
        badge=badge(words, row.state),
        asked_by=row.asked_by,
        signed_by=row.signed_by,
        issued=ages.moment(words, row.issued, now),
        expires=ages.moment(words, row.expires, now) if is_open else None,
        ended=ages.moment(words, row.ended, now),
        text=row.text,
        code=row.code,
        has_result=row.size > 0,
        can_cancel=row.state in CANCELLABLE,
    )


def lines(words: Words, rows: Sequence[OrderRow], now: int) -> tuple[OrderLine, ...]:
    """Return orders as lines."""
    return tuple(line(words, one, now) for one in rows)


def page(words: Words, row: OrderRow, result: OrderResult | None, now: int) -> OrderPage:
    """Return the page of one order; `result` is None where the reader may not see it, or there is none."""
    return OrderPage(
        line=line(words, row, now),
        site_id=row.site_id,
        explained=words(f"order.{row.state}-means"),
        result=as_text(result) if result is not None else "",
        size=words("order.bytes", count=row.size),
        cut=row.cut,
        progress=words("order.pieces", have=row.have, pieces=row.pieces) if row.have < row.pieces else "",
    )


def as_text(result: OrderResult) -> str:
    """Return a result as text where it is some: JSON set out in lines, no control characters; empty for what is a file."""
    if result.media not in ("text/plain", "application/json"):
        return ""
    text = result.data[:SHOWN_BYTES].decode(errors="replace")
    if result.media == "application/json" and len(result.data) <= SHOWN_BYTES:
        with contextlib.suppress(ValueError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)
