"""The diary tells all that happened between two reports, and nothing that did not."""

from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings

from archipel_agent.link.diary import events, versions
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding, Severity
from archipel_contract.jobs import Job, JobState, Verb
from archipel_contract.link.messages import Event, EventKind
from archipel_contract.status import Condition, Health, Report, Truth
from tests.fakes.service import JOB_ID, report

FULL = finding("disk-full", path="/", free="40 MB", share="1 %")
WEB = finding("pod-crash-loop", pods="web/a", namespace="web", pod="a", reason="Error")
SHOP = finding("pod-crash-loop", pods="shop/b", namespace="shop", pod="b", reason="Error")


def with_conditions(*conditions: tuple[str, Truth], base: Report | None = None) -> Report:
    """A report whose node has these conditions."""
    one = base or report()
    made = tuple(
        Condition(type=kind, status=status, reason="Because", message="why") for kind, status in conditions
    )
    return replace(one, node=replace(one.node, conditions=made))


def only(kind: EventKind, told: tuple[Event, ...]) -> list[Event]:
    """The events of one kind."""
    return [one for one in told if one.kind is kind]


def test_nothing_happened_between_two_equal_reports() -> None:
    assert events(report(), report()) == ()


def test_samples_and_the_sentence_are_no_events() -> None:
    before = report()
    usage = replace(before.node.usage, cpu_percent=99.0)
    assert events(before, replace(before, sentence="other", node=replace(before.node, usage=usage))) == ()


def test_the_first_report_tells_that_the_agent_started_and_then_all_that_holds() -> None:
    first = replace(with_conditions(("ApiReady", Truth.TRUE)), findings=(FULL,))
    told = events(None, first)
    assert told[0].kind is EventKind.AGENT_STARTED and told[0].after == "0.1.0"
    assert all(one.before == "" for one in told)
    assert [one.kind for one in told[1:]] == [
        EventKind.VERSION_CHANGED,
        EventKind.VERSION_CHANGED,
        EventKind.FINDING_APPEARED,
        EventKind.CONDITION_CHANGED,
        EventKind.HEALTH_CHANGED,
    ]


def test_a_finding_that_appears_carries_its_severity_its_sentence_and_its_parameters() -> None:
    (told,) = events(report(), replace(report(), findings=(FULL,)))
    assert told == Event(
        kind=EventKind.FINDING_APPEARED,
        subject="disk-full",
        after="problem",
        text=FULL.summary,
        params=FULL.params,
    )


def test_a_finding_that_is_gone_is_told_once_and_names_what_it_was() -> None:
    (told,) = events(replace(report(), findings=(FULL,)), report())
    assert (told.kind, told.subject, told.before, told.after) == (
        EventKind.FINDING_CLEARED,
        "disk-full",
        "problem",
        "",
    )


def test_new_figures_of_a_finding_are_no_event() -> None:
    later = finding("disk-full", path="/", free="39 MB", share="1 %")
    assert events(replace(report(), findings=(FULL,)), replace(report(), findings=(later,))) == ()


def test_of_two_findings_with_one_code_the_one_that_went_is_told() -> None:
    both = replace(report(), findings=(WEB, SHOP))
    (gone,) = events(both, replace(report(), findings=(WEB,)))
    assert gone.kind is EventKind.FINDING_CLEARED and gone.params["pods"] == "shop/b"
    (came,) = events(replace(report(), findings=(SHOP,)), both)
    assert came.kind is EventKind.FINDING_APPEARED and came.params["pods"] == "web/a"


def test_a_condition_is_told_when_its_status_changes_but_not_for_another_message() -> None:
    before = with_conditions(("PodsReady", Truth.TRUE), ("ApiReady", Truth.TRUE))
    after = with_conditions(("PodsReady", Truth.FALSE), ("ApiReady", Truth.TRUE))
    (told,) = events(before, after)
    assert (told.subject, told.before, told.after, told.params) == (
        "PodsReady",
        "True",
        "False",
        {"reason": "Because"},
    )
    other = replace(after.node.conditions[0], message="other", reason="Other")
    assert (
        events(
            after, replace(after, node=replace(after.node, conditions=(other, *after.node.conditions[1:])))
        )
        == ()
    )


def test_a_condition_that_is_no_longer_stated_is_told_as_ended() -> None:
    (told,) = events(with_conditions(("ApiReady", Truth.TRUE)), report())
    assert (told.before, told.after) == ("True", "")


def test_health_is_told_with_the_sentence_that_explains_it() -> None:
    (told,) = events(report(), report(Health.UNHEALTHY, "the disk is full"))
    assert (told.kind, told.before, told.after, told.text) == (
        EventKind.HEALTH_CHANGED,
        "healthy",
        "unhealthy",
        "the disk is full",
    )


def test_a_new_k3s_agent_and_operating_system_are_told_each_by_its_name() -> None:
    before = report()
    node = replace(
        before.node,
        k3s=replace(before.node.k3s, version="v1.35.0+k3s1"),
        facts=replace(before.node.facts, os_name="Debian GNU/Linux 13 (trixie)", kernel="6.12.0"),
    )
    told = events(before, replace(before, node=node, agent_version="0.2.0"))
    assert {one.subject: (one.before, one.after) for one in told} == {
        "agent": ("0.1.0", "0.2.0"),
        "k3s": ("v1.34.2+k3s1", "v1.35.0+k3s1"),
        "os": ("", "Debian GNU/Linux 13 (trixie)"),
        "kernel": ("", "6.12.0"),
    }


def test_a_job_that_ended_is_told_with_verb_outcome_and_finding() -> None:
    job = Job(id=JOB_ID, verb=Verb.UP, state=JobState.FAILED, sentence="No room.", finding=FULL)
    (told,) = events(replace(report(), job=JOB_ID), report(), (job,))
    assert (told.kind, told.subject, told.after, told.text) == (
        EventKind.JOB_ENDED,
        "up",
        "failed",
        "No room.",
    )
    assert told.params == {"job": JOB_ID, "finding": "disk-full"}


def test_a_job_that_began_and_ended_between_two_reports_is_told_too() -> None:
    job = Job(id=JOB_ID, verb=Verb.SUPPORT, state=JobState.SUCCEEDED)
    (told,) = events(report(), report(), (job,))
    assert (told.subject, told.after) == ("support", "succeeded")


def test_a_job_of_which_nothing_more_is_known_is_told_as_ended_and_unknown() -> None:
    (told,) = events(replace(report(), job=JOB_ID), report())
    assert (told.kind, told.after, told.params) == (EventKind.JOB_ENDED, "unknown", {"job": JOB_ID})


def test_a_job_that_still_runs_or_has_just_begun_is_no_event() -> None:
    running = replace(report(), job=JOB_ID)
    assert events(running, running) == ()
    assert events(report(), running) == ()


FINDINGS = st.lists(
    st.builds(
        Finding,
        code=st.sampled_from(("a", "b", "c")),
        severity=st.sampled_from(tuple(Severity)),
        params=st.dictionaries(st.sampled_from(("p", "q")), st.sampled_from(("1", "2")), max_size=2),
    ),
    max_size=5,
).map(tuple)
CONDITIONS = st.dictionaries(st.sampled_from(("X", "Y", "Z")), st.sampled_from(tuple(Truth)))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Reports that differ in all the diary tells."""
    one = with_conditions(*draw(CONDITIONS).items(), base=report(draw(st.sampled_from(tuple(Health)))))
    k3s = replace(one.node.k3s, version=draw(st.sampled_from(("", "v1", "v2"))))
    return replace(one, findings=draw(FINDINGS), node=replace(one.node, k3s=k3s))


class Reader:
    """What somebody knows who only reads the diary."""

    def __init__(self) -> None:
        self.codes: Counter[str] = Counter()
        self.conditions: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.health = ""

    def forget(self) -> None:
        """Begin anew: nobody knows what happened while the agent was away."""
        for known in (self.codes, self.conditions, self.versions):
            known.clear()
        self.health = ""

    def read(self, told: tuple[Event, ...]) -> None:
        """Go on with these events."""
        for one in told:
            if one.kind is EventKind.AGENT_STARTED:
                self.forget()
            elif one.kind is EventKind.FINDING_APPEARED:
                self.codes[one.subject] += 1
            elif one.kind is EventKind.FINDING_CLEARED:
                self.codes[one.subject] -= 1
            elif one.kind is EventKind.CONDITION_CHANGED:
                self.conditions[one.subject] = one.after
            elif one.kind is EventKind.VERSION_CHANGED:
                self.versions[one.subject] = one.after
            elif one.kind is EventKind.HEALTH_CHANGED:
                self.health = one.after


@settings(max_examples=60)
@given(st.lists(st.tuples(reports(), st.booleans()), min_size=1, max_size=5))
def test_replaying_the_diary_gives_the_last_report(history: list[tuple[Report, bool]]) -> None:
    reader, before = Reader(), None
    for one, restarted in history:
        reader.read(events(None if restarted else before, one))
        before = one
    last = history[-1][0]
    assert +reader.codes == Counter(one.code for one in last.findings)
    assert all(count >= 0 for count in reader.codes.values())
    assert {kind: text for kind, text in reader.conditions.items() if text} == {
        one.type: one.status.value for one in last.node.conditions
    }
    assert {name: text for name, text in reader.versions.items() if text} == versions(last)
    assert reader.health == last.health.value
