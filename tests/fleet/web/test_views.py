"""The views: ages, shares, curves, addresses and sentences, as pure functions."""

import itertools
from urllib.parse import parse_qsl

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Finding, Severity
from archipel_contract.link.messages import EventKind, GapReason
from archipel_contract.site import Role
from archipel_contract.status import Health, LinkMode
from archipel_fleet.records import (
    Contact,
    ContactState,
    EventRow,
    FindingRow,
    GapRow,
    LastHealth,
    MetricSeries,
    NodeRow,
    PodRow,
    SiteQuery,
    SiteRow,
    SiteSort,
    Span,
)
from archipel_fleet.web import frame
from archipel_fleet.web.views import ages, metrics, nodes, query, sentences, site, sizes, spans, timeline
from archipel_fleet.web.views.findings import findings

EN, DE = Words("en"), Words("de")
NOW = 1_795_345_200_000
HOUR = ages.HOUR


@pytest.mark.parametrize(
    ("milliseconds", "english", "german"),
    [
        (-5, "0 s", "0 s"),
        (59_999, "59 s", "59 s"),
        (60_000, "1 min", "1 min"),
        (3_599_999, "59 min", "59 min"),
        (3_600_000, "1 h", "1 h"),
        (5_400_000, "1 h 30 min", "1 h 30 min"),
        (86_400_000, "1 day", "1 Tag"),
        (40 * 86_400_000, "40 days", "40 Tagen"),
    ],
)
def test_a_length_of_time_is_told_in_the_units_that_matter(
    milliseconds: int, english: str, german: str
) -> None:
    assert (ages.length(EN, milliseconds), ages.length(DE, milliseconds)) == (english, german)


def test_a_moment_has_an_age_and_the_absolute_time_and_a_coming_one_says_so() -> None:
    past, coming = ages.moment(EN, NOW - 90_000, NOW), ages.moment(DE, NOW + 90_000, NOW)
    assert past is not None
    assert (past.age, past.machine, past.full) == (
        "1 min ago",
        "2026-11-22T10:58:30Z",
        "2026-11-22 10:58:30 UTC",
    )
    assert coming is not None
    assert coming.age == "in 1 min"


@hypothesis.given(st.integers(min_value=-(2**63), max_value=2**63))
def test_no_time_a_broken_clock_could_say_breaks_the_page(at: int) -> None:
    assert ages.full(at).endswith(" UTC")
    assert ages.moment(EN, at, NOW) is not None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59+99:99", "\0"])
def test_a_devices_time_that_is_none_is_left_out(text: str) -> None:
    assert ages.stamp(EN, text, NOW) is None


QUERIES = st.builds(
    SiteQuery,
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20).map(
        str.strip
    ),
    contact=st.lists(st.sampled_from(ContactState), max_size=3).map(tuple),
    health=st.lists(st.sampled_from(Health), max_size=3).map(tuple),
    customer=st.sampled_from(["", "north & south", "ä/?#"]),
    k3s_version=st.sampled_from(["", "v1.36.3+k3s1"]),
    rehearsed=st.sampled_from([None, True, False]),
    sort=st.sampled_from(SiteSort),
    descending=st.booleans(),
    page=st.integers(1, 1000),
    size=st.sampled_from(query.SIZES),
)


@hypothesis.given(QUERIES)
@hypothesis.settings(max_examples=50)
def test_an_address_that_was_written_reads_as_the_same_query(asked: SiteQuery) -> None:
    assert query.sites(parse_qsl(query.written(asked).removeprefix("?"), keep_blank_values=True)) == asked


@hypothesis.given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=4))
@hypothesis.settings(max_examples=50)
def test_rubbish_in_an_address_is_refused_or_understood_and_never_breaks(
    pairs: list[tuple[str, str]],
) -> None:
    for read in (query.sites, query.nodes):
        try:
            read(pairs)
        except query.BadAddress as error:
            assert error.name in {name for name, _ in pairs}


def test_a_change_of_the_filter_begins_at_the_first_page() -> None:
    asked = SiteQuery(page=7, text="x")
    assert query.with_change(asked, contact=(ContactState.OVERDUE,)) == "?q=x&contact=overdue"


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("de", "de"), ("de-AT,de;q=0.9", "de"), ("en;q=0.1, de;q=0.9", "de"), ("fr, de;q=0", "en"),
     ("*", "en"), (";;;q=x,,de;q=zz", "en"), ("x" * 5000, "en")],
)  # fmt: skip
def test_the_language_is_what_the_browser_wishes_most(header: str, language: str) -> None:
    assert frame.preferred(header) == language


def test_a_strip_covers_the_window_and_keeps_a_short_outage_visible() -> None:
    day = 24 * HOUR
    made = (
        Span(since=NOW - 9 * day, until=NOW - HOUR, state="connected"),
        Span(since=NOW - HOUR, until=NOW - HOUR + 1000, state="overdue"),
        Span(since=NOW - HOUR + 1000, until=None, state="connected"),
    )
    strip = spans.contact_strip(EN, made, NOW - 7 * day, NOW)
    assert [bar.tone for bar in strip.bars] == ["good", "bad", "good"]
    assert strip.bars[0].x == 0
    assert strip.bars[1].width == 0.5
    assert strip.bars[2].x + strip.bars[2].width == pytest.approx(spans.WIDTH, abs=0.1)
    assert [(one.badge.word, one.percent) for one in strip.shares] == [
        ("Connected", "99.99 %"),
        ("Overdue", "< 0.1 %"),
    ]
    assert [one.badge.word for one in strip.stretches] == ["Connected", "Overdue", "Connected"]
    assert strip.stretches[1].lasted == "1 s"


def test_states_have_different_heights_and_a_state_of_a_newer_version_is_not_known() -> None:
    made = tuple(
        Span(since=NOW - 10 + n, until=NOW - 9 + n, state=s)
        for n, s in enumerate(("connected", "quiet", "new"))
    )
    strip = spans.contact_strip(EN, made, NOW - 10, NOW)
    assert len({bar.height for bar in strip.bars}) == 3
    assert strip.shares[-1].badge.word == "Not known"


def test_a_strip_of_nothing_says_that_nothing_is_known() -> None:
    strip = spans.health_strip(DE, (), NOW - HOUR, NOW)
    assert strip.bars == ()
    assert strip.said == "Über diese Zeit ist nichts bekannt."


@pytest.mark.parametrize(
    ("part", "shown"),
    [(100_000, "100 %"), (99_999, "99.99 %"), (50_000, "50.0 %"), (1, "< 0.1 %"), (0, "< 0.1 %")],
)
def test_a_share_is_never_rounded_to_all_of_it(part: int, shown: str) -> None:
    assert spans.percent(part, 100_000) == shown


def series(*values: float | None, step: int = 300_000) -> MetricSeries:
    at = tuple(NOW - (len(values) - n) * step for n in range(len(values)))
    return MetricSeries(node_id="n-1", at=at, values={"cpu_percent": values, "memory_used_mib": values})


def test_a_hole_in_the_samples_is_a_hole_in_the_curve() -> None:
    made = metrics.node_curves(EN, "n", series(1, 2, None, None, None, None, 3, 4), NOW - HOUR, NOW)
    assert [len(line.split()) for line in made.curves[0].lines] == [2, 2]
    assert made.curves[0].said == "Processor: lowest 1 %, highest 4 %, latest 4 %"
    assert made.curves[1].latest == "4.0 MiB"


def test_a_flat_curve_and_a_single_sample_are_drawn() -> None:
    flat = metrics.node_curves(EN, "n", series(5, 5, 5), NOW - HOUR, NOW).curves[0]
    assert {point.split(",")[1] for point in flat.lines[0].split()} == {"18.0"}
    single = metrics.node_curves(EN, "n", series(5), NOW - HOUR, NOW).curves[0]
    assert len(single.lines[0].split()) == 2


def test_a_long_series_is_drawn_with_few_points_and_a_measure_without_values_not_at_all() -> None:
    made = metrics.node_curves(EN, "n", series(*range(2000), step=1000), NOW - HOUR, NOW)
    assert sum(len(line.split()) for line in made.curves[0].lines) <= 2 * metrics.POINTS
    assert metrics.node_curves(EN, "n", series(None, None), NOW - HOUR, NOW).curves == ()


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (4 << 30, "4.0 GiB"), (500 << 30, "500 GiB")],
)
def test_sizes_are_read_by_people(count: int, shown: str) -> None:
    assert sizes.size(count) == shown


def row(state: ContactState, health: Health, connected: int = 3) -> SiteRow:
    return SiteRow(
        site_id="s-1",
        name="one",
        customer="default",
        contact=Contact(state=state, last_heard=NOW - HOUR, due=NOW - 1),
        health=LastHealth(health=health, heard=NOW - HOUR),
        nodes=3,
        nodes_connected=connected,
    )


def test_every_pair_of_contact_and_health_has_its_headline() -> None:
    for words, health, state in itertools.product((EN, DE), Health, ContactState):
        said = site.headline(words, row(state, health))
        assert said.endswith("."), (health, state)
        assert "{" not in said


def test_silence_is_neither_failure_nor_success() -> None:
    well = site.headline(EN, row(ContactState.OVERDUE, Health.HEALTHY, 0))
    assert "All was well when it was last heard." in well
    assert "All is well" not in well
    unknown = site.headline(EN, row(ContactState.UNKNOWN, Health.UNHEALTHY, 0))
    assert "Nobody knows whether this site reported" in unknown
    assert "counts as unhealthy" in unknown


def test_a_connected_site_says_how_many_of_its_nodes_are() -> None:
    assert "2 of 3 nodes are connected." in site.headline(EN, row(ContactState.CONNECTED, Health.HEALTHY, 2))
    assert "nodes" not in site.headline(EN, row(ContactState.CONNECTED, Health.HEALTHY, 3))


def found(code: str, severity: Severity, node: str, **params: str) -> FindingRow:
    made = Finding(code=code, severity=severity, params=params, evidence=(f"seen on {node}",))
    return FindingRow(finding=made, node_id=node, node_name=node, heard=NOW - HOUR)


def test_findings_come_gravest_first_and_the_same_on_several_nodes_once() -> None:
    shown = findings(
        EN,
        [
            found("under-voltage", Severity.WARNING, "b"),
            found("disk-low", Severity.PROBLEM, "a", free="1 GB"),
            found("under-voltage", Severity.WARNING, "a"),
            found("disk-low", Severity.PROBLEM, "b", free="2 GB"),
        ],
        NOW,
    )
    assert [(one.code, one.nodes) for one in shown] == [
        ("disk-low", ("a",)),
        ("disk-low", ("b",)),
        ("under-voltage", ("b", "a")),
    ]
    assert shown[2].evidence == ("seen on b", "seen on a")
    assert len({one.key for one in shown}) == 3


def test_a_finding_of_a_newer_agent_is_shown_with_the_sentences_it_brings() -> None:
    made = Finding(
        code="from-the-future", severity=Severity.PROBLEM, summary="It broke", next_step="Run: archipel why"
    )
    shown = findings(DE, [FindingRow(finding=made)], NOW)[0]
    assert (shown.title, shown.cause) == ("It broke", "")
    assert shown.remedy == sentences.Sentence("Run:", "archipel why")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("See it: sudo archipel status", "sudo archipel status"),
        ("Nothing to run: it heals by itself.", ""),
        ("Two: steps: ip -4 addr", "ip -4 addr"),
        ("Ask for less.", ""),
    ],
)
def test_the_command_a_sentence_ends_with_is_set_apart(text: str, command: str) -> None:
    made = sentences.sentence(text)
    assert made.command == command
    assert f"{made.text} {made.command}".strip() == text


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Disk space is getting low: ?free", "Disk space is getting low"),
        ("This processor is not supported (?architecture)", "This processor is not supported"),
        ("The node ?name is not ready", "The node … is not ready"),
        ("Power is low", "Power is low"),
    ],
)
def test_a_title_without_its_values_still_reads(title: str, shown: str) -> None:
    assert sentences.without_values(title) == shown


def event(kind: EventKind, **more: object) -> EventRow:
    values: dict[str, object] = {
        "node_id": "n-1",
        "node_name": "a",
        "site_id": "s-1",
        "at": NOW - HOUR,
        "sure": True,
    }
    return EventRow(kind=kind, **{**values, "received": NOW - HOUR, **more})  # type: ignore[arg-type] # see the call


def test_every_kind_of_event_is_a_sentence() -> None:
    for words, kind in itertools.product((EN, DE), EventKind):
        told = event(kind, subject="disk-low", before="True", after="False", text="x")
        said = timeline.entry(words, told, NOW).text
        assert said, kind
        assert "{" not in said
        assert "?" not in said


def test_an_event_says_what_was_and_is_in_words() -> None:
    health = event(EventKind.HEALTH_CHANGED, before="unhealthy", after="healthy")
    assert timeline.entry(DE, health, NOW).text == "Gesundheit wechselte von Krank zu Gesund"
    version = event(EventKind.VERSION_CHANGED, subject="k3s", before="v1.35.6+k3s1", after="v1.36.3+k3s1")
    assert timeline.entry(EN, version, NOW).text == "k3s went from version v1.35.6+k3s1 to v1.36.3+k3s1"


def test_what_was_reported_late_says_how_late() -> None:
    late = timeline.entry(EN, event(EventKind.LINK_LOST, received=NOW), NOW)
    assert late.late == "reported 1 h later"
    assert timeline.entry(EN, event(EventKind.LINK_LOST), NOW).late == ""


@pytest.mark.parametrize("reason", GapReason)
def test_every_reason_of_a_gap_has_words_and_an_open_end_is_said(reason: GapReason) -> None:
    gap = GapRow(node_id="n", node_name="a", epoch=3, first=7, last=0, reason=reason, count=0, received=NOW)
    (said,) = timeline.gaps(EN, [gap], NOW)
    assert said.which == "all from number 7 of epoch 3"
    assert said.count == "not known"
    assert said.reason


def node(**more: object) -> NodeRow:
    values: dict[str, object] = {"node_id": "n-1", "name": "a", "site_id": "s-1", "site_name": "one"}
    values |= {"customer": "default", "role": Role.SERVER, "health": LastHealth(health=Health.HEALTHY)}
    values |= {"contact": Contact(state=ContactState.CONNECTED, mode=LinkMode.ALWAYS_ON)}
    return NodeRow(**{**values, **more})  # type: ignore[arg-type] # see the calls


@pytest.mark.parametrize(
    "facts",
    [{}, {"cpus": "four"}, {"memory_bytes": -1}, {"disks": "none"}, {"disks": [1, None, {"size_bytes": "x"}]},
     {"nics": [{"addresses": [1, {}]}, {"name": 5, "addresses": "127.0.0.1"}]}, {"model": ["x"]}, {"cpus": True}],
)  # fmt: skip
def test_what_a_device_says_wrongly_of_itself_breaks_no_page(facts: dict[str, object]) -> None:
    made = nodes.detail(EN, node(), facts, (), NOW)
    assert all(isinstance(fact.value, str) for fact in made.hardware)
    assert made.hardware[-1].value == "n-1"


@pytest.mark.parametrize(
    ("clock", "offset", "said"),
    [
        ("synchronized", -37, "synchronised, agrees with ours"),
        ("wrong", -3_600_000, "wrong, 1 h behind ours"),
        ("plausible", 86_400_000, "plausible, not synchronised, 1 day ahead of ours"),
        ("", None, "not known"),
        ("from-the-future", None, "not known"),
    ],
)
def test_a_nodes_clock_is_told_with_how_far_it_is_off(clock: str, offset: int | None, said: str) -> None:
    made = nodes.detail(EN, node(clock=clock, clock_offset_ms=offset), {}, (), NOW)
    assert made.link[-1].value == said


def test_what_waits_on_a_node_is_told_where_it_is_known() -> None:
    assert "1 message" in [fact.value for fact in nodes.detail(EN, node(waiting=1), {}, (), NOW).link]
    assert len(nodes.detail(EN, node(), {}, (), NOW).link) == 3


def pod(name: str, ready: bool, phase: str = "Running") -> PodRow:
    return PodRow(namespace="default", name=name, node="a", phase=phase, ready=ready, restarts=0)


def test_pods_that_are_not_ready_come_first_and_a_finished_job_does_not() -> None:
    shown = site.pods(EN, [pod("a", True), pod("job", False, "Succeeded"), pod("z", False)])
    assert [one.name for one in shown] == ["z", "a", "job"]
    assert len(site.pods(EN, [pod(str(n), True) for n in range(500)])) == site.PODS


def test_the_first_word_about_something_is_no_change() -> None:
    first = event(
        EventKind.CONDITION_CHANGED, subject="NodeReady", before="", after="True", text="NodeReady is True"
    )
    said = timeline.entry(EN, first, NOW)
    assert (said.text, said.mark, said.detail) == ("NodeReady is True", "check", "")
    version = event(EventKind.VERSION_CHANGED, subject="k3s", before="", after="v1.36.3+k3s1")
    assert timeline.entry(DE, version, NOW).text == "k3s hat die Version v1.36.3+k3s1"


def test_the_charts_of_a_young_site_begin_with_its_first_word() -> None:
    silence = Span(since=NOW - 7 * ages.DAY, until=NOW - HOUR, state="never")
    heard = Span(since=NOW - HOUR, until=None, state="connected")
    assert site.history_begin([silence, heard], NOW) == NOW - HOUR
    assert (
        site.history_begin([Span(since=NOW - 9 * ages.DAY, until=None, state="quiet")], NOW)
        == NOW - 7 * ages.DAY
    )
    assert site.history_begin([silence], NOW) == NOW - 7 * ages.DAY
    assert site.history_begin([Span(since=NOW, until=None, state="connected")], NOW) == NOW - ages.MINUTE
