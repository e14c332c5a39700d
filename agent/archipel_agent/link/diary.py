"""Diary: what happened between two reports, as events. Pure; called by the engine with each new report.

The events say all that the fleet's history needs: replayed in order onto what was known before, they give the findings,
conditions, health and versions of the later report. An `agent-started` clears the slate, because nobody saw what happened
while the agent was away; what holds at that moment follows it with an empty `before`.
"""

from collections import Counter
from collections.abc import Iterator

from archipel_contract.findings import Finding
from archipel_contract.jobs import Job
from archipel_contract.link.messages import Event, EventKind
from archipel_contract.status import Condition, Report


def events(before: Report | None, after: Report, ended: tuple[Job, ...] = ()) -> tuple[Event, ...]:
    """Return what happened between the reports, causes first; `before` is None for the first report of an agent.

    `ended` are the jobs known to have ended since; one that only left the report is told without verb and outcome.
    """
    told: list[Event] = []
    if before is None:
        told.append(Event(kind=EventKind.AGENT_STARTED, after=after.agent_version, text=after.sentence))
    told += [Event(kind=EventKind.NOTE, subject="agent", text=one) for one in after.did]
    told += _jobs(before, after, ended)
    told += _versions(before, after)
    told += _findings(before.findings if before else (), after.findings)
    told += _conditions(before, after)
    if before is None or before.health is not after.health:
        old = before.health.value if before else ""
        told.append(
            Event(kind=EventKind.HEALTH_CHANGED, before=old, after=after.health.value, text=after.sentence)
        )
    return tuple(told)


def _jobs(before: Report | None, after: Report, ended: tuple[Job, ...]) -> Iterator[Event]:
    for job in ended:
        params = {"job": job.id, **({"finding": job.finding.code} if job.finding else {})}
        yield Event(
            kind=EventKind.JOB_ENDED,
            subject=job.verb.value,
            after=job.state.value,
            text=job.sentence,
            params=params,
        )
    last = before.job if before else ""
    if last and last != after.job and last not in {job.id for job in ended}:
        yield Event(kind=EventKind.JOB_ENDED, after="unknown", params={"job": last})


def versions(report: Report) -> dict[str, str]:
    """Return the versions whose changes are told, by subject; what could not be read is left out."""
    facts = report.node.facts
    known = {
        "agent": report.agent_version,
        "k3s": report.node.k3s.version,
        "os": facts.os_name,
        "kernel": facts.kernel,
    }
    return {name: text for name, text in known.items() if text}


def _versions(before: Report | None, after: Report) -> Iterator[Event]:
    old, new = versions(before) if before else {}, versions(after)
    for subject in sorted({**old, **new}):
        was, now = old.get(subject, ""), new.get(subject, "")
        if was != now:
            yield Event(kind=EventKind.VERSION_CHANGED, subject=subject, before=was, after=now)


def _findings(before: tuple[Finding, ...], after: tuple[Finding, ...]) -> Iterator[Event]:
    """Compare by code and how often it occurs; which of several is new or gone is told by their parameters."""
    was, now = Counter(one.code for one in before), Counter(one.code for one in after)
    for code in _codes(before):
        for one in _chosen(code, before, after, was[code] - now[code]):
            yield Event(
                kind=EventKind.FINDING_CLEARED,
                subject=code,
                before=one.severity.value,
                text=one.summary,
                params=one.params,
            )
    for code in _codes(after):
        for one in _chosen(code, after, before, now[code] - was[code]):
            yield Event(
                kind=EventKind.FINDING_APPEARED,
                subject=code,
                after=one.severity.value,
                text=one.summary,
                params=one.params,
            )


def _codes(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.code for one in findings))


def _chosen(code: str, here: tuple[Finding, ...], there: tuple[Finding, ...], count: int) -> list[Finding]:
    """Return `count` findings `code` of `here`: first those whose parameters none `there` has."""
    others = [one.params for one in there if one.code == code]
    own = [one for one in here if one.code == code]
    return sorted(own, key=lambda one: one.params in others)[: max(0, count)]


def _conditions(before: Report | None, after: Report) -> Iterator[Event]:
    old = {one.type: one for one in before.node.conditions} if before else {}
    new = {one.type: one for one in after.node.conditions}
    for kind in {**old, **new}:
        was, now = old.get(kind), new.get(kind)
        if was is None or now is None or was.status is not now.status:
            yield _condition(kind, was, now)


def _condition(kind: str, was: Condition | None, now: Condition | None) -> Event:
    return Event(
        kind=EventKind.CONDITION_CHANGED,
        subject=kind,
        before=was.status.value if was else "",
        after=now.status.value if now else "",
        text=now.message if now else "",
        params={"reason": now.reason} if now and now.reason else {},
    )
