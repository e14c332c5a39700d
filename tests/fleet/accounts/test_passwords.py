"""Passwords: their hashes, what fits them, and which can be taken."""

import hashlib
import unicodedata
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_fleet.accounts import passwords
from archipel_fleet.accounts.passwords import Cost, Passwords, PasswordUnfit
from tests.fakes.fleet_context import CHEAP, CountedEntropy

WORD = "correct horse battery"


@pytest.fixture
def hashing() -> Passwords:
    return Passwords(CountedEntropy(), CHEAP)


def test_the_password_fits_its_hash_and_no_other_does(hashing: Passwords) -> None:
    stored = hashing.hashed(WORD)
    assert hashing.fits(WORD, stored)
    assert not hashing.fits(WORD + " ", stored)
    assert not hashing.fits("", stored)


def test_the_hash_does_not_hold_the_password_and_differs_each_time(hashing: Passwords) -> None:
    first, second = hashing.hashed(WORD), hashing.hashed(WORD)
    assert first != second
    assert WORD not in first


def test_a_hash_made_at_another_cost_still_fits(hashing: Passwords) -> None:
    dearer = Passwords(CountedEntropy(), Cost(log_n=5, r=2, p=2)).hashed(WORD)
    assert dearer.startswith("scrypt$5$2$2$")
    assert hashing.fits(WORD, dearer)


def test_no_account_never_fits_and_costs_a_whole_hash(
    hashing: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[int] = []
    real = hashlib.scrypt

    def counting(*given: Any, **named: Any) -> bytes:
        worked.append(named["n"])
        return real(*given, **named)

    stored = hashing.hashed(WORD)
    monkeypatch.setattr(hashlib, "scrypt", counting)
    assert not hashing.fits(WORD, None)
    assert not hashing.fits("\0" * 32, None)
    assert hashing.fits(WORD, stored)
    assert worked == [16, 16, 16]


def test_the_default_cost_is_the_one_of_the_guide_and_needs_16_mib() -> None:
    cost = Cost()
    assert (1 << cost.log_n, cost.r, cost.p) == (16_384, 8, 5)
    assert 128 * cost.r * (1 << cost.log_n) == 16 << 20
    assert Passwords(CountedEntropy()).hashed(WORD).startswith("scrypt$14$8$5$")


def test_letters_composed_differently_are_the_same_password(hashing: Passwords) -> None:
    typed = "grüne Wiese im März"
    assert hashing.fits(unicodedata.normalize("NFD", typed), hashing.hashed(typed))


@hypothesis.settings(max_examples=20)
@hypothesis.given(st.text(min_size=1, max_size=600))
def test_any_text_can_be_hashed_and_fits(text: str) -> None:
    hashing = Passwords(CountedEntropy(), CHEAP)
    assert hashing.fits(text, hashing.hashed(text))


@pytest.mark.parametrize("password", ["", "short", "elevenchars", "x" * 600, "nora-is-my-name"])
def test_a_password_that_is_short_long_or_holds_the_name_is_refused(password: str) -> None:
    with pytest.raises(PasswordUnfit):
        passwords.check_fitness(password, "nora")


def test_a_hash_of_an_unknown_kind_is_named_and_not_taken_for_a_wrong_password(hashing: Passwords) -> None:
    with pytest.raises(ValueError, match="argon2"):
        hashing.fits(WORD, "argon2$1$2$3$aaaa$bbbb")


def test_a_made_up_password_has_100_bits_in_letters_that_can_be_typed() -> None:
    assert passwords.made_up(bytes) == "00000-00000-00000-00000"
    mixed = passwords.made_up(lambda size: bytes(range(size)))
    assert mixed == "01234-56789-abcde-fghjk"
    passwords.check_fitness(mixed, "admin")
