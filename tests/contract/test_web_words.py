"""The words of the web pages: complete in both languages, with the same parameters, and there for every state there is."""

import string
from enum import StrEnum

import pytest

from archipel_contract.catalogue import LANGUAGES
from archipel_contract.catalogue.web import Words, WordUnknown, table
from archipel_contract.facts import ClockQuality
from archipel_contract.findings import Severity
from archipel_contract.link.messages import METRIC_NAMES, EventKind, GapReason
from archipel_contract.site import Role
from archipel_contract.status import Health, LinkMode, Truth
from archipel_fleet.order_records import OrderState

STATES: dict[str, type[StrEnum]] = {
    "health": Health,
    "truth": Truth,
    "role": Role,
    "mode": LinkMode,
    "clock": ClockQuality,
    "severity": Severity,
    "event": EventKind,
    "gap": GapReason,
    "order": OrderState,
}


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_word_is_there_in_both_languages_with_the_same_parameters() -> None:
    for key, texts in table().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(text and text == text.strip() for text in texts.values()), key
        assert parameters(texts["en"]) == parameters(texts["de"]), key


@pytest.mark.parametrize(("group", "kind"), STATES.items(), ids=STATES)
def test_every_state_has_its_word(group: str, kind: type[StrEnum]) -> None:
    assert [one for one in kind if not Words("de").has(f"{group}.{one}")] == []


def test_every_measure_has_its_word() -> None:
    assert [name for name in METRIC_NAMES if not Words().has(f"metric.{name}")] == []


def test_a_key_for_one_has_a_key_for_many_with_the_same_parameters() -> None:
    ones = [key for key in table() if key.endswith("-one")]
    assert ones
    for key in ones:
        assert parameters(table()[key]["en"]) == parameters(table()[key.removesuffix("-one")]["en"]), key


def test_one_thing_and_many_things_are_said_differently() -> None:
    words = Words("en")
    assert words.count("list.count", 1) == "1 site"
    assert words.count("list.count", 0) == "0 sites"
    assert words.count("site.gap-count", 1) == "1 message"


def test_a_word_there_is_not_is_a_defect_and_raises() -> None:
    with pytest.raises(WordUnknown):
        Words()("page.nix")
    with pytest.raises(ValueError, match="no words in 'fr'"):
        Words("fr")
