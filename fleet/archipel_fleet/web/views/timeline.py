"""What happened at a site, and what is known to be lost, in sentences.

Called by the site's view, rendered by `templates/timeline.html`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archipel_contract.catalogue import words as finding_words
from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Finding, Severity
from archipel_contract.link.messages import EventKind
from archipel_contract.status import Health, Truth
from archipel_fleet.records import EventRow, GapRow
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import HEALTH, TRUTH
from archipel_fleet.web.views.sentences import without_values

LATE = 2 * ages.MINUTE  # reported this much after it happened is worth a word
# How an entry is marked: symbol and tone.
MARKS = {
    EventKind.FINDING_APPEARED: ("triangle", "warn"),
    EventKind.FINDING_CLEARED: ("check", "good"),
    EventKind.LINK_LOST: ("ring", "mute"),
    EventKind.LINK_BACK: ("dot", "good"),
    EventKind.AGENT_STARTED: ("turn", "calm"),
    EventKind.ORDER_REFUSED: ("triangle", "warn"),
    EventKind.UNKNOWN: ("question", "mute"),
}
PLAIN = ("info", "calm")
# The first word about something is no change.
FIRST = {
    EventKind.CONDITION_CHANGED: "condition-first",
    EventKind.HEALTH_CHANGED: "health-first",
    EventKind.VERSION_CHANGED: "version-first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the timeline."""

    when: Moment
    shown: str  # the absolute time
    sure: bool
    late: str
    node: str
    mark: str
    tone: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GapLine:
    """One stretch of messages that will never come."""

    node: str
    which: str
    count: str
    reason: str
    noted: Moment | None


def entry(words: Words, row: EventRow, now: int) -> Entry:
    """Return one thing that happened."""
    mark, tone = _mark(row)
    late, text = row.received - row.at, _text(words, row)
    said = ages.moment(words, row.at, now)
    assert said is not None  # it has a time by its type
    return Entry(
        when=said,
        shown=ages.full(row.at),
        sure=row.sure,
        late=words("site.late", age=ages.length(words, late)) if late >= LATE else "",
        node=row.node_name or row.node_id,
        mark=mark,
        tone=tone,
        text=text,
        # Agents send the sentence along for readers who do not know the code; it is not said twice.
        detail="" if row.kind is EventKind.NOTE or row.text in text else row.text,
    )


def _mark(row: EventRow) -> tuple[str, str]:
    if row.kind is EventKind.HEALTH_CHANGED and row.after in set(HEALTH):
        return HEALTH[Health(row.after)]
    if row.kind is EventKind.CONDITION_CHANGED and row.after in set(TRUTH):
        return TRUTH[Truth(row.after)]
    return MARKS.get(row.kind, PLAIN)


def _text(words: Words, row: EventRow) -> str:
    if row.kind in (EventKind.FINDING_APPEARED, EventKind.FINDING_CLEARED):
        known = Finding(code=row.subject, severity=Severity.UNKNOWN, params=row.params)
        return words(f"event.{row.kind}", title=without_values(finding_words(known, words.language).title))
    key = FIRST.get(row.kind, row.kind) if not row.before else row.kind
    before, after = (_state(words, row.kind, one) for one in (row.before, row.after))
    return words(f"event.{key}", subject=row.subject, before=before, after=after, text=row.text).strip()


def _state(words: Words, kind: EventKind, state: str) -> str:
    """Return what was or is, in words where there are some: a health has them, a version has not."""
    if kind is EventKind.HEALTH_CHANGED and words.has(f"health.{state}"):
        return words(f"health.{state}")
    if kind is EventKind.CONDITION_CHANGED and words.has(f"truth.{state}"):
        return words(f"truth.{state}")
    return state or ("" if kind is EventKind.JOB_ENDED else words("event.nothing"))


def gaps(words: Words, rows: Sequence[GapRow], now: int) -> tuple[GapLine, ...]:
    """Return the gaps of a site."""
    return tuple(
        GapLine(
            node=row.node_name or row.node_id,
            which=words("site.gap-range", first=row.first, last=row.last, epoch=row.epoch)
            if row.last
            else words("site.gap-open", first=row.first, epoch=row.epoch),
            count=words.count("site.gap-count", row.count) if row.count else words("page.not-known"),
            reason=words(f"gap.{row.reason}"),
            noted=ages.moment(words, row.received, now),
        )
        for row in rows
    )
