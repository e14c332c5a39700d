"""Twelve sites as a fleet shows them: connected, silent, sick, never heard, rehearsed, of three customers.

Only the fake store and tests of those who show sites use them. Times are milliseconds since 1970 UTC; NOW is "now".
"""

import string

from archipel_contract import catalogue
from archipel_contract.facts import DiskSpace, NodeFacts
from archipel_contract.findings import Finding
from archipel_contract.link.messages import EventKind, GapReason
from archipel_contract.site import Role
from archipel_contract.status import Health, LinkMode, Truth
from archipel_contract.wire import to_data
from archipel_fleet.records import (
    ConditionRow,
    Contact,
    ContactState,
    EventRow,
    FindingRow,
    GapRow,
    LastHealth,
    NodeRow,
    PodRow,
    SiteDetail,
    SiteRow,
    Span,
)

NOW = 1_795_345_200_000  # 2026-11-22 11:00 UTC
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Short, so that the table below keeps to one line a site.
C, Q, LATE = ContactState.CONNECTED, ContactState.QUIET, ContactState.OVERDUE
N, U = ContactState.NEVER, ContactState.UNKNOWN
GOOD, BAD, DARK = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN
DEBIAN = "Debian GNU/Linux 12 (bookworm)"
# name, customer, contact, last heard (ms ago), health, nodes, k3s, operating system, finding, rehearsed
TABLE: tuple[
    tuple[str, str, ContactState, int | None, Health, int, str, str, tuple[str, ...], bool], ...
] = (
    ("aalen", "default", C, 4 * SECOND, GOOD, 1, "v1.36.3+k3s1", DEBIAN, (), False),
    ("berlin", "default", C, 9 * SECOND, BAD, 3, "v1.36.3+k3s1", "Raspberry Pi OS 13", ("disk-low", "under-voltage"), False),
    ("celle", "default", LATE, 3 * HOUR, GOOD, 3, "v1.35.6+k3s1", DEBIAN, (), False),
    ("dresden", "default", LATE, 40 * DAY, BAD, 2, "v1.34.1+k3s1", "Ubuntu 24.04.3 LTS", ("pod-crash-loop",), False),
    ("emden", "north", Q, 50 * MINUTE, GOOD, 3, "v1.36.3+k3s1", "Raspberry Pi OS 13", (), False),
    ("fulda", "north", Q, 7 * HOUR, BAD, 1, "v1.36.3+k3s1", "Raspberry Pi OS 13", ("heat",), False),
    ("gera", "north", N, None, DARK, 1, "", "", (), False),
    ("hamm", "north", U, 2 * HOUR, GOOD, 3, "v1.36.3+k3s1", "Debian GNU/Linux 13 (trixie)", (), False),
    ("ilmenau", "south", C, 2 * SECOND, Health.WORKING, 3, "v1.36.3+k3s1", "Ubuntu 26.04 LTS", (), False),
    ("jena", "south", C, 61 * SECOND, Health.STOPPED, 1, "v1.36.3+k3s1", DEBIAN, (), False),
    ("rehearsed-001", "default", C, 1 * SECOND, GOOD, 3, "v1.36.3+k3s1", DEBIAN, (), True),
    ("rehearsed-002", "default", LATE, 20 * MINUTE, BAD, 3, "v1.36.3+k3s1", DEBIAN, ("node-not-ready",), True),
)  # fmt: skip
VALUES = {"free": "1.9 GB", "path": "/var/lib/rancher", "node": "node-2", "pod": "shop/till-7c9"}


def finding(code: str) -> Finding:
    """A finding of the catalogue with likely values for whatever its sentences name."""
    texts = catalogue.entry(code).texts["en"]
    sentences = (texts.title, texts.cause, texts.remedy, *texts.runbook)
    names = {name for text in sentences for _, name, _, _ in string.Formatter().parse(text) if name}
    values = {name: VALUES.get(name, "12") for name in sorted(names)}
    return catalogue.finding(code, ("as measured",), None, **values)


def site_id(number: int) -> str:
    """The id of the site in row `number` of the table."""
    return f"s-{number:016x}"


def node_id(number: int, node: int) -> str:
    """The id of node `node` (from 1) of that site."""
    return f"n-{number:012x}{node:04x}"


def contact_of(number: int) -> Contact:
    """The contact of that site, and of its nodes."""
    _, _, state, ago, _, _, _, _, _, _ = TABLE[number]
    mode = LinkMode.DIAL_IN if state is Q else LinkMode.ALWAYS_ON
    if ago is None:
        return Contact(state=state, mode=LinkMode.UNKNOWN)
    every = HOUR * 12 if mode is LinkMode.DIAL_IN else 5 * MINUTE
    since = NOW - DAY if state is C else NOW - ago
    return Contact(state=state, since=since, last_heard=NOW - ago, due=NOW - ago + every, mode=mode)


def health_of(number: int) -> LastHealth:
    """The health of that site, and of its nodes, as last heard."""
    _, _, _, ago, health, _, _, _, _, _ = TABLE[number]
    if ago is None:
        return LastHealth(health=Health.UNKNOWN)
    return LastHealth(health=health, heard=NOW - ago, since=NOW - ago - 2 * HOUR)


def site_row(number: int) -> SiteRow:
    """Row `number` of the table as a row of a list of sites."""
    name, customer, state, _, _, nodes, k3s, system, codes, rehearsed = TABLE[number]
    found = [finding(code) for code in codes]
    heard = state is not N
    return SiteRow(
        site_id=site_id(number),
        name=name,
        customer=customer,
        contact=contact_of(number),
        health=health_of(number),
        nodes=nodes,
        nodes_connected=nodes if state is C else 0,
        nodes_ready=nodes if heard else None,
        pods=7 if heard else 0,
        pods_ready=6 if codes else 7 if heard else 0,
        k3s_versions=(k3s,) if k3s else (),
        os_names=(system,) if system else (),
        agent_versions=("0.1.0",) if heard else (),
        problems=sum(one.severity == "problem" for one in found),
        warnings=sum(one.severity == "warning" for one in found),
        worst=codes[0] if codes else "",
        rehearsed=rehearsed,
    )


def node_rows(number: int) -> tuple[NodeRow, ...]:
    """The nodes of that site."""
    site = site_row(number)
    return tuple(
        NodeRow(
            node_id=node_id(number, node),
            name=f"{site.name}-{node}",
            site_id=site.site_id,
            site_name=site.name,
            customer=site.customer,
            role=Role.SERVER if node == 1 else Role.AGENT,
            contact=site.contact,
            health=site.health,
            k3s_version="".join(site.k3s_versions),
            agent_version="".join(site.agent_versions),
            os_name="".join(site.os_names),
            model="Raspberry Pi 5 Model B Rev 1.0" if "Raspberry" in "".join(site.os_names) else "",
            architecture="aarch64" if "Raspberry" in "".join(site.os_names) else "x86_64",
            problems=site.problems if node == 1 else 0,
            warnings=site.warnings if node == 1 else 0,
            clock="synchronized" if site.contact.last_heard else "",
            clock_offset_ms=-37 if site.contact.last_heard else None,
            rehearsed=site.rehearsed,
        )
        for node in range(1, site.nodes + 1)
    )


def detail(number: int) -> SiteDetail:
    """All about that site."""
    site, nodes = site_row(number), node_rows(number)
    first, heard = nodes[0], site.contact.last_heard
    rows = [
        FindingRow(finding=finding(code), node_id=first.node_id, node_name=first.name, heard=heard)
        for code in TABLE[number][8]
    ]
    ready = Truth.TRUE if site.health.health is GOOD else Truth.FALSE
    conditions = [
        ConditionRow(
            node_id=node.node_id, node_name=node.name, type="Ready", status=ready, reason="KubeletReady"
        )
        for node in nodes
    ]
    pods = [
        PodRow(
            namespace="kube-system",
            name=f"coredns-{one}",
            node=first.name,
            phase="Running",
            ready=one < site.pods_ready,
            restarts=one,
        )
        for one in range(site.pods)
    ]
    gaps = [
        GapRow(
            node_id=first.node_id,
            node_name=first.name,
            epoch=8,
            first=11,
            last=19,
            reason=GapReason.SPACE,
            count=9,
            received=NOW - DAY,
        )
    ]
    return SiteDetail(
        site=site,
        nodes=nodes,
        conditions=tuple(conditions) if heard else (),
        findings=tuple(rows),
        pods=tuple(pods),
        gaps=tuple(gaps) if site.name == "berlin" else (),
        facts={node.node_id: facts(node) for node in nodes} if heard else {},
    )


def facts(node: NodeRow) -> dict[str, object]:
    """What the machine said of itself."""
    disk = DiskSpace(
        path="/",
        device="/dev/mmcblk0p2",
        kind="sd",
        filesystem="ext4",
        size_bytes=31 << 30,
        free_bytes=9 << 30,
    )
    made: dict[str, object] = to_data(
        NodeFacts(
            hostname=node.name,
            architecture=node.architecture,
            kernel="6.12.47",
            os_name=node.os_name,
            model=node.model,
            cpus=4,
            memory_bytes=4 << 30,
            disks=(disk,),
        )
    )
    return made


def events(number: int) -> tuple[EventRow, ...]:
    """The timeline of that site, newest first."""
    site = site_row(number)
    heard = site.contact.last_heard
    if heard is None:
        return ()
    node = node_rows(number)[0]
    kinds = (
        EventKind.LINK_BACK,
        EventKind.HEALTH_CHANGED,
        EventKind.FINDING_APPEARED,
        EventKind.AGENT_STARTED,
    )
    return tuple(
        EventRow(
            node_id=node.node_id,
            node_name=node.name,
            site_id=site.site_id,
            kind=kinds[one % len(kinds)],
            at=heard - one * 17 * MINUTE,
            sure=one != 3,
            received=heard - one * 17 * MINUTE + 300,
            subject="disk-low" if one % len(kinds) == 2 else "",
            before="unhealthy",
            after="healthy",
            epoch=9,
            sequence=40 - one,
        )
        for one in range(30)
    )


def contact_spans(number: int, since: int, now: int) -> tuple[Span, ...]:
    """Contact over time: connected until last heard, then as it is."""
    contact = contact_of(number)
    if contact.last_heard is None:
        return (Span(since=since, until=None, state=ContactState.NEVER),)
    if contact.state is C or contact.last_heard <= since:
        return (Span(since=since, until=None, state=contact.state),)
    return (
        Span(since=since, until=contact.last_heard, state=ContactState.CONNECTED),
        Span(since=contact.last_heard, until=None, state=contact.state),
    )


def health_spans(number: int, since: int, now: int) -> tuple[Span, ...]:
    """Health over time: healthy, then as last heard."""
    health = health_of(number)
    if health.since is None or health.since <= since:
        return (Span(since=since, until=None, state=health.health),)
    return (
        Span(since=since, until=health.since, state=Health.HEALTHY),
        Span(since=health.since, until=None, state=health.health),
    )
