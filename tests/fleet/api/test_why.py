"""Why a site is not OK: silence explained by the controller, findings once however many nodes have them, gravest first."""

from dataclasses import replace

import pytest

from archipel_contract.findings import Severity
from archipel_contract.status import Health
from archipel_fleet.api.why import why
from archipel_fleet.records import ContactState, FindingRow, SiteDetail
from tests.fakes import fleet_sites


def detail_of(name: str) -> SiteDetail:
    return fleet_sites.detail([row[0] for row in fleet_sites.TABLE].index(name))


@pytest.mark.parametrize(
    ("name", "code", "ok"),
    [("celle", "fleet-site-overdue", False), ("gera", "fleet-site-never", False), ("hamm", "fleet-site-unheard", False),
     ("aalen", None, True), ("emden", None, True), ("jena", None, True), ("ilmenau", None, True)],
)  # fmt: skip
def test_silence_is_explained_where_it_is_not_planned(name: str, code: str | None, ok: bool) -> None:
    said = why(detail_of(name), "en")
    assert [one.code for one in said.findings] == ([code] if code else [])
    assert all(one.by_controller for one in said.findings)
    assert said.ok is ok


def test_a_node_that_is_silent_in_a_site_that_is_heard_is_named() -> None:
    detail = detail_of("berlin")
    silent = replace(detail.nodes[2], contact=replace(detail.nodes[2].contact, state=ContactState.OVERDUE))
    said = why(replace(detail, nodes=(*detail.nodes[:2], silent), findings=()), "en")
    assert [(one.code, one.nodes) for one in said.findings] == [("fleet-node-overdue", ("berlin-3",))]
    assert said.findings[0].title == "berlin-3 is overdue, its site is not"


def test_the_same_finding_of_two_nodes_is_told_once_with_both_names() -> None:
    detail = detail_of("berlin")
    one = detail.findings[0]
    other = replace(one, node_id="n-2", node_name="berlin-2", heard=5)
    said = why(replace(detail, findings=(one, other)), "en")
    assert [each.nodes for each in said.findings] == [("berlin-1", "berlin-2")]
    assert said.findings[0].heard == one.heard


def measured(detail: SiteDetail, number: int, **params: str) -> FindingRow:
    entry = replace(fleet_sites.finding("disk-low"), code="disk-low", params=params)
    return replace(detail.findings[0], finding=entry, node_id=f"n-{number}", node_name=f"berlin-{number}")


def test_a_finding_that_each_node_measures_for_itself_is_told_once_with_what_each_has_measured() -> None:
    detail = detail_of("berlin")
    rows = [measured(detail, number, free=f"{number} GB", path="/") for number in (1, 2, 3)]
    (said,) = why(replace(detail, findings=tuple(rows)), "en").findings
    assert said.nodes == ("berlin-1", "berlin-2", "berlin-3")
    assert "1 GB" in said.title
    assert [line for line in said.evidence if line.startswith("berlin-3: ") and "3 GB" in line]


def test_what_one_node_has_several_times_stays_several_findings() -> None:
    detail = detail_of("berlin")
    rows = [measured(detail, 1, free="1 GB", path=path) for path in ("/", "/data")]
    assert len(why(replace(detail, findings=tuple(rows)), "en").findings) == 2


def test_the_gravest_comes_first_and_a_problem_alone_makes_a_healthy_site_not_ok() -> None:
    detail = detail_of("aalen")
    rows = tuple(
        FindingRow(finding=replace(fleet_sites.finding("heat"), code=code, severity=severity))
        for code, severity in (
            ("hint", Severity.HINT),
            ("problem", Severity.PROBLEM),
            ("warning", Severity.WARNING),
        )
    )
    said = why(replace(detail, findings=rows), "en")
    assert [one.code for one in said.findings] == ["problem", "warning", "hint"]
    assert not said.ok
    assert why(replace(detail, findings=rows[::2]), "en").ok


@pytest.mark.parametrize("state", ContactState)
@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("language", ["en", "de"])
def test_there_are_words_for_every_contact_with_every_health(
    state: ContactState, health: Health, language: str
) -> None:
    detail = detail_of("celle")
    site = replace(
        detail.site,
        contact=replace(detail.site.contact, state=state),
        health=replace(detail.site.health, health=health),
    )
    said = why(replace(detail, site=site), language)
    assert said.sentences
    assert not any("?" in one.title + one.cause + one.remedy for one in said.findings if one.by_controller)


def test_health_of_a_silent_site_is_told_in_the_past_tense() -> None:
    assert "when it was last heard" in why(detail_of("dresden"), "en").sentences[1]
    assert why(detail_of("berlin"), "en").sentences[1] == "It has problems."


def test_the_reason_comes_first_and_what_else_was_found_stands_aside() -> None:
    detail = detail_of("dresden")
    card = FindingRow(finding=fleet_sites.finding("disk-sd-card"), node_id="n-1", node_name="dresden-1")
    silent = why(replace(detail, findings=(*detail.findings, card)), "en").findings
    assert [(one.code, one.aside) for one in silent] == [
        ("fleet-site-overdue", False),
        ("pod-crash-loop", True),
        ("disk-sd-card", True),
    ]
    contact = replace(detail.site.contact, state=ContactState.CONNECTED)
    site = replace(detail.site, contact=contact)
    heard = replace(detail, site=site, nodes=(), findings=(*detail.findings, card))
    assert [(one.code, one.aside) for one in why(heard, "en").findings] == [
        ("pod-crash-loop", False),
        ("disk-sd-card", True),
    ]
    assert [one.aside for one in why(replace(heard, findings=(card,)), "en").findings] == [False]


def test_a_silent_node_is_a_reason_beside_what_the_others_report() -> None:
    detail = detail_of("dresden")
    contact = replace(detail.site.contact, state=ContactState.CONNECTED)
    nodes = (
        detail.nodes[0],
        replace(detail.nodes[1], contact=replace(contact, state=ContactState.OVERDUE)),
    )
    heard = replace(detail, site=replace(detail.site, contact=contact), nodes=nodes)
    said = [(one.code, one.aside) for one in why(heard, "en").findings]
    assert ("pod-crash-loop", False) in said and ("fleet-node-overdue", False) in said
