"""Nodes: as rows of a list, and one by one with hardware, link and conditions.

Called by the routes and the site's view. What a device says of itself is foreign: values of the wrong kind are left out,
never shown wrong and never a failure of the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_fleet.records import ConditionRow, NodeRow
from archipel_fleet.web.views import ages, badges
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import Badge
from archipel_fleet.web.views.sentences import short_system
from archipel_fleet.web.views.sizes import size

CLOSE = 2000  # milliseconds: two clocks this near agree, for a message takes its time too
NICS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """One node in a table."""

    node_id: str
    name: str
    site_id: str
    site_name: str
    customer: str
    role: str
    rehearsed: bool
    contact: Badge
    heard: Moment | None
    health: Badge
    health_heard: Moment | None
    problems: int
    warnings: int
    k3s: str
    agent: str
    os: str
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and its value; a moment where the value is a time."""

    name: str
    value: str = ""
    moment: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionLine:
    """One condition."""

    type: str
    badge: Badge
    reason: str
    message: str
    since: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDetail:
    """All about one node."""

    line: NodeLine
    hardware: tuple[Fact, ...]
    link: tuple[Fact, ...]
    conditions: tuple[ConditionLine, ...]


def line(words: Words, row: NodeRow, now: int) -> NodeLine:
    """Return a node as a row."""
    return NodeLine(
        node_id=row.node_id,
        name=row.name or row.node_id,
        site_id=row.site_id,
        site_name=row.site_name or row.site_id,
        customer=row.customer,
        role=words(f"role.{row.role}"),
        rehearsed=row.rehearsed,
        contact=badges.contact(words, row.contact.state),
        heard=ages.moment(words, row.contact.last_heard, now),
        health=badges.health(words, row.health.health),
        health_heard=ages.moment(words, row.health.heard, now),
        problems=row.problems,
        warnings=row.warnings,
        k3s=row.k3s_version,
        agent=row.agent_version,
        os=short_system(row.os_name),
        machine=row.model or row.architecture,
    )


def detail(
    words: Words, row: NodeRow, facts: Mapping[str, object], conditions: Sequence[ConditionRow], now: int
) -> NodeDetail:
    """Return all about a node; `facts` is its NodeFacts as it sent them."""
    own = [one for one in conditions if one.node_id == row.node_id]
    return NodeDetail(
        line=line(words, row, now),
        hardware=tuple(_hardware(words, row, facts)),
        link=tuple(_link(words, row, now)),
        conditions=tuple(_condition(words, one, now) for one in own),
    )


def _condition(words: Words, row: ConditionRow, now: int) -> ConditionLine:
    return ConditionLine(
        type=row.type,
        badge=badges.truth(words, row.status),
        reason=row.reason,
        message=row.message,
        since=ages.stamp(words, row.since, now),
    )


def _hardware(words: Words, row: NodeRow, facts: Mapping[str, object]) -> Iterable[Fact]:
    cores = facts.get("cpus")
    processor = row.architecture or _text(facts, "architecture")
    if isinstance(cores, int):
        processor = f"{processor}, {words('fact.cpus', count=cores)}" if processor else ""
    named = [
        ("machine", row.model or _text(facts, "model")),
        ("serial", _text(facts, "serial")),
        ("architecture", processor),
        ("memory", _bytes(facts.get("memory_bytes"))),
        *(("disk", text) for text in _disks(words, facts)),
        *(("network", text) for text in _nics(facts)),
        ("os", row.os_name or _text(facts, "os_name")),
        ("kernel", _text(facts, "kernel")),
        ("k3s", row.k3s_version),
        ("agent", row.agent_version),
        ("node-id", row.node_id),
    ]
    return (Fact(name=words(f"fact.{key}"), value=value) for key, value in named if value)


def _link(words: Words, row: NodeRow, now: int) -> Iterable[Fact]:
    yield Fact(name=words("fact.mode"), value=words(f"mode.{row.contact.mode}"))
    heard = ages.moment(words, row.contact.last_heard, now)
    yield Fact(name=words("fact.heard"), value="" if heard else words("age.never"), moment=heard)
    if row.contact.due is not None:
        yield Fact(name=words("fact.due"), moment=ages.moment(words, row.contact.due, now))
    if row.waiting is not None:
        yield Fact(name=words("fact.waiting"), value=words.count("fact.waiting-count", row.waiting))
    yield Fact(name=words("fact.clock"), value=_clock(words, row))


def _clock(words: Words, row: NodeRow) -> str:
    known = words(f"clock.{row.clock}") if words.has(f"clock.{row.clock}") else words("clock.unknown")
    offset = row.clock_offset_ms
    if offset is None:
        return known
    if abs(offset) <= CLOSE:
        return f"{known}, {words('fact.clock-same')}"
    way = "fact.clock-ahead" if offset > 0 else "fact.clock-behind"
    return f"{known}, {words(way, age=ages.length(words, abs(offset)))}"


def _text(facts: Mapping[str, object], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _bytes(value: object) -> str:
    return size(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else ""


def _many(facts: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    value = facts.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, (list, tuple)) else []


def _disks(words: Words, facts: Mapping[str, object]) -> Iterable[str]:
    seen = set()
    for disk in _many(facts, "disks"):
        device = _text(disk, "device") or _text(disk, "path")
        amount = _bytes(disk.get("size_bytes"))
        # Several directories often lie on one device.
        if amount and device not in seen:
            seen.add(device)
            kind = _text(disk, "kind")
            shown = f"{device} ({kind})" if kind and kind != "unknown" else device
            yield words("fact.of-size", size=amount, device=shown)


def _nics(facts: Mapping[str, object]) -> Iterable[str]:
    real = [one for one in _many(facts, "nics") if not one.get("virtual") and one.get("addresses")]
    for nic in real[:NICS]:
        addresses = nic.get("addresses")
        texts = (
            [one for one in addresses if isinstance(one, str)] if isinstance(addresses, (list, tuple)) else []
        )
        if texts:
            yield f"{_text(nic, 'name')} {', '.join(texts)}".strip()
