"""Devices as rows of a page: who waits with which code, who may connect and until when, what happened.

Called by the route. What a device says of itself is foreign and shown as text.
"""

from dataclasses import dataclass

from archipel_contract import catalogue
from archipel_contract.catalogue.web import Words
from archipel_fleet.device_records import DeviceEvent, DeviceRow, DeviceState
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import Badge

COPIED = "enrol-node-known"  # the finding about a request whose node has another key
SOON = 60 * ages.DAY  # before its end a certificate should long have been renewed
STATES = {
    DeviceState.PENDING: ("clock", "warn"),
    DeviceState.ACTIVE: ("check", "good"),
    DeviceState.REVOKED: ("cross", "bad"),
    DeviceState.DECOMMISSIONED: ("pause", "mute"),
    DeviceState.REFUSED: ("cross", "mute"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    """One device or request in a table."""

    node_id: str
    name: str
    site_id: str
    site_name: str
    customer: str
    machine: str
    state: Badge
    is_active: bool
    claim: str
    replaces: bool
    ends: Moment | None
    ends_soon: bool
    seen: Moment | None
    asked: Moment | None
    approval: str
    by: str
    rehearsed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """Something that happened."""

    at: Moment | None
    node_id: str
    what: str
    times: str
    by: str


def state(words: Words, one: DeviceState) -> Badge:
    """Return the badge of a device's state."""
    mark, tone = STATES[one]
    return Badge(word=words(f"device.state-{one}"), mark=mark, tone=tone)


def line(words: Words, row: DeviceRow, now: int) -> DeviceLine:
    """Return a device as a row."""
    return DeviceLine(
        node_id=row.node_id,
        name=row.name or row.hostname or row.node_id,
        site_id=row.site_id,
        site_name=row.site_name or row.site_id,
        customer=row.customer,
        machine=row.model,
        state=state(words, row.state),
        is_active=row.state is DeviceState.ACTIVE,
        claim=row.claim,
        replaces=row.code == COPIED,
        ends=ages.moment(words, row.not_after, now),
        ends_soon=row.not_after is not None and row.not_after - now < SOON,
        seen=ages.moment(words, row.last_seen, now),
        asked=ages.moment(words, row.first_seen, now),
        approval=words(f"device.approval-{row.approval}") if row.approval else "",
        by=row.approved_by,
        rehearsed=row.rehearsed,
    )


def event(words: Words, row: DeviceEvent, now: int) -> EventLine:
    """Return an event as a row; what was refused is told by its finding's title."""
    key = row.code.removeprefix("device-")
    if row.code.startswith("device-") and words.has(f"device.event-{key}"):
        what = words(f"device.event-{key}")
    else:
        what = _title(row.code, words.language)
    return EventLine(
        at=ages.moment(words, row.at, now),
        node_id=row.node_id,
        what=what,
        times=words.count("device.times", row.count) if row.count > 1 else "",
        by=row.by,
    )


def _title(code: str, language: str) -> str:
    try:
        return catalogue.words(catalogue.finding(code), language).title
    except catalogue.CodeUnknown:
        return code
