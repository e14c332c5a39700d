"""Findings of a site with their why and what next, in the reader's language, gravest first.

Called by the site's view, rendered by `templates/findings.html`. The same finding on several nodes is shown once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archipel_contract.catalogue import words as finding_words
from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Severity
from archipel_fleet.records import FindingRow
from archipel_fleet.web.views import ages, badges
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import Badge
from archipel_fleet.web.views.sentences import Sentence, sentence

GRAVITY = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.UNKNOWN: 1, Severity.HINT: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """One finding in words."""

    key: str  # of its place on the page
    code: str
    badge: Badge
    title: str
    cause: str
    remedy: Sentence
    runbook: tuple[Sentence, ...]
    nodes: tuple[str, ...]
    evidence: tuple[str, ...]
    since: Moment | None
    heard: Moment | None
    by_controller: bool


def findings(words: Words, rows: Sequence[FindingRow], now: int) -> tuple[FindingView, ...]:
    """Return the findings of a site or node."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...], bool], list[FindingRow]] = {}
    for row in sorted(rows, key=lambda one: (GRAVITY[one.finding.severity], one.finding.code)):
        key = (row.finding.code, tuple(sorted(row.finding.params.items())), row.by_controller)
        alike.setdefault(key, []).append(row)
    return tuple(_one(words, number, group, now) for number, group in enumerate(alike.values(), 1))


def _one(words: Words, number: int, group: list[FindingRow], now: int) -> FindingView:
    first = group[0]
    text = finding_words(first.finding, words.language)
    heard = [row.heard for row in group if row.heard is not None]
    return FindingView(
        key=f"finding-{number}",
        code=first.finding.code,
        badge=badges.severity(words, first.finding.severity),
        title=text.title,
        cause=text.cause,
        remedy=sentence(text.remedy),
        runbook=tuple(sentence(step) for step in text.runbook),
        nodes=tuple(dict.fromkeys(row.node_name or row.node_id for row in group if row.node_id)),
        evidence=tuple(dict.fromkeys(line for row in group for line in row.finding.evidence)),
        since=ages.stamp(words, first.finding.since, now),
        heard=ages.moment(words, max(heard), now) if heard else None,
        by_controller=first.by_controller,
    )
