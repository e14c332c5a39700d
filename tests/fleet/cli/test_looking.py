"""Commands that look: sites, nodes, one site, why. In both languages, as text and as JSON."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from archipel_contract import catalogue
from archipel_contract.exits import Exit
from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from archipel_fleet.records import FindingRow, Scope, SiteDetail
from tests.fakes import fleet_sites
from tests.fakes.fleet_context import fake_context, token_of
from tests.fakes.fleet_store import FakeStore
from tests.fleet.cli.conftest import Run
from tests.fleet.serving import answering


def line_of(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


def test_sites_shows_contact_health_the_age_of_both_versions_and_who_is_rehearsed(anna: Run) -> None:
    said = anna("sites")
    assert said.code == Exit.OK
    dresden = line_of(said.out, "dresden")
    assert dresden.startswith("! x dresden")
    for word in (
        "Overdue for 40 days",
        "40 days ago",
        "Unhealthy (40 days ago)",
        "v1.34.1+k3s1",
        "Ubuntu 24.04.3 LTS",
    ):
        assert word in dresden
    assert line_of(said.out, "emden").startswith(". + emden")
    assert "Healthy (50 min ago)" in line_of(said.out, "emden")
    assert "never" in line_of(said.out, "gera")
    assert "[REHEARSED]" in line_of(said.out, "rehearsed-001")
    assert "[REHEARSED]" not in line_of(said.out, "aalen")
    assert "12 sites" in said.err
    assert "This controller was not listening from 2026-11-19" in said.err


def test_sites_of_nobody_says_so(anna: Run) -> None:
    assert "No site matches" in anna("sites", "zwickau").out


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--contact", "overdue", "--sort", "name"), ["celle", "dresden", "rehearsed-002"]),
        (("--contact", "never", "--contact", "unknown"), ["gera", "hamm"]),
        (("--health", "unhealthy", "--kind", "real"), ["berlin", "dresden", "fulda"]),
        (("--customer", "north", "--descending"), ["hamm", "gera", "fulda", "emden"]),
        (("--finding", "heat"), ["fulda"]),
        (("--k3s", "v1.35.6+k3s1"), ["celle"]),
        (("BERLIN",), ["berlin"]),
        (("--size", "2", "--page", "2"), ["celle", "dresden"]),
        (("--kind", "rehearsed"), ["rehearsed-001", "rehearsed-002"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_sites_filters_sorts_and_pages(anna: Run, words: tuple[str, ...], names: list[str]) -> None:
    rows = json.loads(anna("sites", *words, "--json").out)["rows"]
    assert [row["name"] for row in rows] == names


def test_a_page_says_how_to_see_the_next_one(anna: Run) -> None:
    assert "1 to 5 of 12  (--page 2)" in anna("sites", "--size", "5").err


def test_nodes_of_one_site(anna: Run) -> None:
    said = anna("nodes", "--site", "berlin")
    assert [line.split()[2] for line in said.out.splitlines()[1:]] == ["berlin-1", "berlin-2", "berlin-3"]
    assert "Raspberry Pi 5" in said.out
    assert json.loads(anna("nodes", "--json", "--size", "3").out)["total"] == 27


def test_site_shows_nodes_findings_with_why_and_next_step_gaps_and_timeline(anna: Run) -> None:
    said = anna("site", "berlin", "--events", "3")
    assert said.code == Exit.NOT_OK
    for word in ("s-0000000000000001", "Disk space is getting low", "Why", "What next", "on berlin-1", "berlin-3",
                 "numbers 11 to 19 of epoch 8", "Timeline", "Health went from Unhealthy to Healthy"):  # fmt: skip
        assert word in said.out
    assert said.out.count("2026-11-22 ") == 3
    assert anna("site", "aalen").code == Exit.OK


def test_site_as_json_has_everything(anna: Run) -> None:
    data = json.loads(anna("site", fleet_sites.site_id(1), "--json", "--events", "2").out)
    assert {"site", "nodes", "conditions", "findings", "pods", "gaps", "facts", "why", "timeline"} <= set(
        data
    )
    assert len(data["timeline"]) == 2


def test_why_of_a_site_says_it_in_sentences_with_steps(anna: Run) -> None:
    said = anna("why", "dresden")
    assert said.code == Exit.NOT_OK
    for word in ("Nothing was heard from this site although a word was due.", "(fleet-site-overdue)",
                 "2026-10-13 11:00 UTC", "(pod-crash-loop)", "Step by step", "archipel status"):  # fmt: skip
        assert word in said.out
    assert anna("why", "emden").code == Exit.OK


class WithACard(FakeStore):
    """Sites of which each has a remark about its SD card, whatever else there is."""

    def site(self, scope: Scope, site_id: str, now: int) -> SiteDetail | None:
        """See ports.Reader."""
        found = super().site(scope, site_id, now)
        card = FindingRow(finding=fleet_sites.finding("disk-sd-card"))
        return found and replace(found, findings=(*found.findings, card))


def test_why_of_a_silent_site_speaks_of_its_silence_and_gives_what_was_found_before_a_line_each(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = catalogue.words(fleet_sites.finding("disk-sd-card"))
    made = fake_context(WithACard())
    with answering(create_app(made), made.live) as url:
        monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token_of(made, "anna"))
        for words in (("why", "dresden"), ("site", "dresden")):
            said = run(*words, "--url", url).out
            assert said.index("(fleet-site-overdue)") < said.index("Found there as well")
            assert said.index("Found there as well") < said.index("(pod-crash-loop)") < said.index(card.title)
            assert card.cause not in said and card.remedy not in said
            assert "archipel fleet why pod-crash-loop" in said


def test_why_speaks_german(anna: Run) -> None:
    said = anna("why", "dresden", "--lang", "de")
    assert "Von diesem Standort kam nichts, obwohl eine Meldung fällig war." in said.out
    assert "Was als Nächstes" in said.out
    assert "Überfällig seit 40 Tagen" in anna("sites", "--lang", "de").out


def test_the_locale_chooses_the_language(anna: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert "Überfällig" in anna("sites").out


def test_why_of_a_code_needs_no_controller(run: Run) -> None:
    said = run("why", "heat", "--url", "http://127.0.0.1:9")
    assert said.code == Exit.OK
    assert "The machine is hot: <temperature>" in said.out


def test_why_of_nothing_known_names_what_is_near(anna: Run) -> None:
    said = anna("why", "disk-lo")
    assert said.code == Exit.USAGE
    assert "disk-low" in said.err


def test_why_alone_explains_every_site_that_is_not_ok_and_no_other(anna: Run) -> None:
    said = anna("why")
    assert said.code == Exit.NOT_OK
    for name in ("berlin", "celle", "dresden", "fulda", "gera", "hamm", "rehearsed-002"):
        assert f"\n{name}" in f"\n{said.out}"
    for name in ("aalen", "emden", "ilmenau", "jena", "rehearsed-001"):
        assert f"\n{name}" not in f"\n{said.out}"


def test_why_alone_begins_with_the_controllers_own_trouble(
    context: Context, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled = replace(context, trouble=lambda: (catalogue.finding("disk-full"),))
    with answering(create_app(troubled), troubled.live) as url:
        monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token_of(troubled, "anna"))
        said = run("why", "--url", url)
        data = json.loads(run("why", "--url", url, "--json").out)
    assert said.out.splitlines()[0].endswith("(disk-full)")
    assert data["controller"][0]["code"] == "disk-full"


def test_a_fleet_that_is_well_is_told_to_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    well = fake_context(FakeStore([fleet_sites.site_row(0), fleet_sites.site_row(4)]))
    with answering(create_app(well), well.live) as url:
        monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token_of(well, "anna"))
        said = run("why", "--url", url)
    assert (said.code, said.out) == (
        Exit.OK,
        "Nothing is wrong: every site is heard as it should be, and healthy.\n",
    )


def test_a_customers_user_sees_its_own_sites_only(as_account: Callable[[str], None], run: Run) -> None:
    as_account("viktor")
    said = run("sites")
    assert [line.split()[2] for line in said.out.splitlines()[1:]] == ["ilmenau", "jena"]
    missing = run("site", "berlin")
    assert missing.code == Exit.NOT_OK
    assert "There is no site 'berlin'." in missing.err


def test_colour_comes_only_when_it_is_wanted(anna: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\033[" not in anna("sites").out
    assert "\033[33m!" in anna("sites", "--color").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033[" not in anna("sites").out
    assert "\033[" not in anna("sites", "--no-color").out


def test_what_a_site_calls_itself_cannot_steer_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = replace(fleet_sites.site_row(0), name="a\033[2Jb\r\nc\u202ed", k3s_versions=("v1\033]0;x\a",))
    made = fake_context(FakeStore([evil]))
    with answering(create_app(made), made.live) as url:
        monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token_of(made, "anna"))
        said = [
            run("sites", "--url", url),
            run("site", evil.site_id, "--url", url),
            run("why", evil.site_id, "--url", url),
        ]
    for one in said:
        assert "\033" not in one.out and "\r" not in one.out and "\u202e" not in one.out
