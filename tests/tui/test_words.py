"""The words of the screen: there, in both languages, and drawable."""

import re
from pathlib import Path
from string import Formatter

import pytest

import archipel_tui
from archipel_agent.checks.base import slug_of
from archipel_agent.checks.registry import CHECKS
from archipel_agent.steps import fix, repair
from archipel_agent.steps.options import Options
from archipel_agent.steps.story import story
from archipel_contract.catalogue.ui import Words, WordUnknown, ascii_text, table
from archipel_contract.facts import ClockQuality
from archipel_contract.findings import Severity
from archipel_contract.jobs import Verb
from archipel_contract.site import Role
from archipel_contract.status import Health, LinkState, Membership, ServiceState
from archipel_tui.glyphs import SAFE

SOURCES = sorted(Path(archipel_tui.__path__[0]).rglob("*.py"))


def test_every_word_is_there_in_both_languages_with_the_same_parameters() -> None:
    for key, texts in table().items():
        assert set(texts) == {"en", "de"}, key
        fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in texts.values()]
        assert fields[0] == fields[1], key


def test_every_word_can_be_drawn_on_every_console_font() -> None:
    for key, texts in table().items():
        for text in texts.values():
            assert not set(text) - SAFE, (key, set(text) - SAFE)


def test_every_word_the_program_names_exists() -> None:
    named = set()
    for source in SOURCES:
        named |= set(
            re.findall(r"words\(\s*\"([a-z0-9-]+\.[a-z0-9-]+)\"", source.read_text(encoding="utf-8"))
        )
    assert len(named) > 60
    assert not named - set(table())


def test_every_word_a_key_bar_names_exists() -> None:
    pair = r'\("((?:[A-Z0-9]|F\d+|Esc|Enter|keyname\.[a-z-]+))", "([a-z-]+)"\)'
    found = {word for source in SOURCES for word in re.findall(pair, source.read_text(encoding="utf-8"))}
    assert len(found) > 20
    for key, word in found:
        assert f"key.{word}" in table() or f"menu.{word}" in table(), (key, word)
        assert not key.startswith("keyname.") or key in table()


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("health", list(Health)),
        ("severity", list(Severity)),
        ("clock", list(ClockQuality)),
        ("service", list(ServiceState)),
        ("link", [state for state in LinkState if state is not LinkState.OFF]),
        ("member", [state for state in Membership if state is not Membership.NONE]),
        ("role", list(Role)),
        ("screen", list(Verb)),
        ("verb", list(Verb)),
    ],
)
def test_every_value_the_agent_may_send_has_a_word(group: str, values: list[str]) -> None:
    assert [value for value in values if f"{group}.{value}" not in table()] == []


def test_every_check_and_every_step_of_the_agent_has_a_name_in_both_languages() -> None:
    jobs = tuple(step for verb in Verb if verb is not Verb.FIX for step in story(verb, Options()))
    repairs = tuple(
        step
        for table in (fix.REPAIRS, repair.REPAIRS, repair.UNDOS)
        for steps in table.values()
        for step in steps
    )
    slugs = {f"check.{slug_of(check.__name__)}" for check in CHECKS} | {
        f"step.{step.slug}" for step in (*jobs, fix.NO_REPAIR, *repairs)
    }
    assert sorted(slugs - set(table())) == []


def test_a_word_that_is_missing_is_an_error_and_not_an_empty_screen() -> None:
    with pytest.raises(WordUnknown):
        Words("en")("home.nothing")
    with pytest.raises(ValueError, match="no words in 'fr'"):
        Words("fr")


def test_german_without_umlauts_is_written_with_two_letters() -> None:
    assert Words("de", ascii_only=True)("screen.home") == "Uebersicht"
    assert ascii_text("Größe 20 °C, 日") == "Groesse 20  C, ?"
