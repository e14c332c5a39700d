"""Why a site is not OK, in sentences: its contact and health as a headline, then every finding with cause and next step.

What makes the site not OK comes first; what is merely found there as well is marked as standing aside. Called by the API's
`why` and usable by the pages. Pure; the words come from the catalogue.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from archipel_contract import catalogue
from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Finding, Severity
from archipel_contract.status import Health
from archipel_fleet.records import Contact, ContactState, FindingRow, NodeRow, SiteDetail

GRAVITY = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.UNKNOWN: 1, Severity.HINT: 2}
# Stopped on purpose and being changed are what somebody wanted.
NOTHING_WRONG = (Health.HEALTHY, Health.STOPPED, Health.WORKING)
HEARD_NOW = (ContactState.CONNECTED, ContactState.QUIET)
_SITE_CODES = {
    ContactState.OVERDUE: "fleet-site-overdue",
    ContactState.NEVER: "fleet-site-never",
    ContactState.UNKNOWN: "fleet-site-unheard",
}
_NODE_CODE = "fleet-node-overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One finding in words."""

    code: str
    severity: Severity
    title: str
    cause: str
    remedy: str
    """What to do next."""
    runbook: tuple[str, ...] = ()
    """The same step by step."""
    evidence: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    """Names of the nodes that have it."""
    heard: int | None = None
    """When it was last heard."""
    by_controller: bool = False
    """Whether the controller noticed it, and not the site itself."""
    aside: bool = False
    """Whether something else is the reason why the site is not OK, and this only stands there as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One site, explained."""

    site_id: str
    name: str
    customer: str
    rehearsed: bool
    ok: bool
    """Whether nothing is wrong: heard as it should be, healthy or as somebody wanted it, and no problem found."""
    sentences: tuple[str, ...]
    """Contact and health in plain words."""
    findings: tuple[Explained, ...]
    """The reason first, then what stands aside; each gravest first."""


def why(detail: SiteDetail, language: str) -> Why:
    """Return the explanation of a site in `language`."""
    site = detail.site
    rows = [*detail.findings, *contact_findings(detail)]
    explained = reasons_first(explain(rows, language), silent=site.contact.state in _SITE_CODES)
    ok = (
        site.contact.state in HEARD_NOW
        and site.health.health in NOTHING_WRONG
        and not any(one.severity is Severity.PROBLEM for one in explained)
    )
    return Why(
        site_id=site.site_id,
        name=site.name,
        customer=site.customer,
        rehearsed=site.rehearsed,
        ok=ok,
        sentences=headline(detail, Words(language)),
        findings=explained,
    )


def reasons_first(found: Sequence[Explained], *, silent: bool) -> tuple[Explained, ...]:
    """Return findings with the reason in front and the others marked as aside, both in their order.

    Of a site that is silent the silence is the reason: what it said before is old, and mending it brings no word. Otherwise
    it is the gravest there are, and the silence of single nodes.
    """
    if silent:
        marked = [replace(one, aside=one.code not in _SITE_CODES.values()) for one in found]
    else:
        gravest = min((GRAVITY[one.severity] for one in found), default=0)
        marked = [
            replace(one, aside=GRAVITY[one.severity] > gravest and one.code != _NODE_CODE) for one in found
        ]
    return tuple(sorted(marked, key=lambda one: one.aside))


def headline(detail: SiteDetail, words: Words) -> tuple[str, ...]:
    """Return contact and health as sentences; health of a silent site in the past tense."""
    site = detail.site
    health = (
        f"health-{site.health.health}" if site.health.health is Health.UNKNOWN else str(site.health.health)
    )
    sentences = [words(f"headline.{site.contact.state}")]
    if site.contact.state is not ContactState.NEVER:
        key = health if site.contact.state is ContactState.CONNECTED else f"was-{health}"
        sentences.append(words(f"headline.{key}"))
        sentences.append(words("headline.nodes", connected=site.nodes_connected, count=site.nodes))
    return tuple(sentences)


def contact_findings(detail: SiteDetail) -> tuple[FindingRow, ...]:
    """Return what the silence of the site, or of some of its nodes, means; the controller sees it, nobody reports it."""
    site = detail.site
    code = _SITE_CODES.get(site.contact.state)
    if code is not None:
        return (_noticed(code, site.contact, site=site.name),)
    silent = [one for one in detail.nodes if one.contact.state is ContactState.OVERDUE]
    return tuple(_of_node(node) for node in silent)


def _of_node(node: NodeRow) -> FindingRow:
    row = _noticed(_NODE_CODE, node.contact, node=node.name, site=node.site_name)
    return FindingRow(
        finding=row.finding,
        node_id=node.node_id,
        node_name=node.name,
        heard=node.contact.last_heard,
        by_controller=True,
    )


def _noticed(code: str, contact: Contact, **names: str) -> FindingRow:
    params = {**names, "heard": _utc(contact.last_heard), "due": _utc(contact.due)}
    entry = catalogue.entry(code)
    bare = Finding(code=code, severity=entry.severity, params=params)
    text = catalogue.words(bare)
    finding = Finding(
        code=code, severity=entry.severity, params=params, summary=text.title, next_step=text.remedy
    )
    return FindingRow(finding=finding, heard=contact.last_heard, by_controller=True)


def explain(rows: Sequence[FindingRow], language: str) -> tuple[Explained, ...]:
    """Return findings in words, gravest first; the same finding of several nodes once, also where each has measured another
    value. What a node has several times (pods, disks) and what names its node in its title is each a finding of its own.
    """
    alike: dict[tuple[str, str], list[FindingRow]] = {}
    count = Counter((row.finding.code, row.node_id) for row in rows)
    several = {code for (code, _), times in count.items() if times > 1}
    for row in sorted(rows, key=lambda one: (GRAVITY[one.finding.severity], one.finding.code)):
        own = row.finding.code in several or not row.node_id or _names_its_node(row, language)
        said = repr(sorted(row.finding.params.items())) if own else ""
        alike.setdefault((row.finding.code, said), []).append(row)
    return tuple(_explained(group, language) for group in alike.values())


def _names_its_node(row: FindingRow, language: str) -> bool:
    return bool(row.node_name) and row.node_name in catalogue.words(row.finding, language).title


def _explained(group: list[FindingRow], language: str) -> Explained:
    finding = group[0].finding
    text = catalogue.words(finding, language)
    return Explained(
        code=finding.code,
        severity=finding.severity,
        title=text.title,
        cause=text.cause,
        remedy=text.remedy,
        runbook=text.runbook,
        evidence=tuple(dict.fromkeys(line for row in group for line in _evidence(row, group, language))),
        nodes=tuple(dict.fromkeys(row.node_name or row.node_id for row in group if row.node_id)),
        heard=max((row.heard for row in group if row.heard is not None), default=None),
        by_controller=any(row.by_controller for row in group),
    )


def _evidence(row: FindingRow, group: list[FindingRow], language: str) -> tuple[str, ...]:
    """Return what shows a finding on one node; with its name where another node has measured something else."""
    if all(one.finding.params == row.finding.params for one in group):
        return row.finding.evidence
    name = row.node_name or row.node_id
    title = catalogue.words(row.finding, language).title
    return tuple(f"{name}: {line}" for line in (title, *row.finding.evidence))


def _utc(at: int | None) -> str:
    if at is None:
        return "?"
    return datetime.fromtimestamp(min(max(at, 0), 253_402_300_799_000) / 1000, UTC).strftime(
        "%Y-%m-%d %H:%M UTC"
    )
