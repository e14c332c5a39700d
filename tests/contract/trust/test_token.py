"""Tokens, links and claim codes: what is typed by hand comes out right or is refused, and the secret shows nowhere."""

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.names import ID_ALPHABET
from archipel_contract.trust import token
from archipel_contract.trust.token import (
    CLAIM_LENGTH,
    SECRET_LENGTH,
    TOKEN_ID_LENGTH,
    Invitation,
    Token,
    TokenInvalid,
    claim_code,
    invitation,
    new_token,
    pin_of,
)

letters = st.sampled_from(ID_ALPHABET)
tokens = st.binary(min_size=34, max_size=34).map(
    lambda data: new_token(
        lambda n: (data * 2)[n : 2 * n] if n == TOKEN_ID_LENGTH else data[:n], pin_of(data)
    )
)
ONE = new_token(lambda n: bytes(range(n)), pin_of(b"ca"))
MISREADINGS = {"0": "oO", "1": "iIlL", "v": "uU"}


@hypothesis.given(tokens, st.data())
def test_a_token_typed_with_misread_letters_capitals_and_spaces_is_the_same_token(
    made: Token, data: st.DataObject
) -> None:
    typed = ""
    for char in made.text:
        typed += data.draw(st.sampled_from([char, char.upper(), *MISREADINGS.get(char, "")]))
        typed += data.draw(st.sampled_from(["", "", "", " ", "-", "\n"]))
    assert token.token(typed) == made


@hypothesis.given(tokens)
def test_a_token_keeps_its_secret_to_itself(made: Token) -> None:
    for shown in (str(made), repr(made), made.digest):
        assert made.secret not in shown
    assert made.id in str(made)


@hypothesis.given(tokens, tokens)
def test_the_digest_tells_tokens_apart_by_id_and_secret(one: Token, other: Token) -> None:
    assert (one.digest == other.digest) == ((one.id, one.secret) == (other.id, other.secret))


@hypothesis.given(st.text(max_size=90))
def test_whatever_else_is_typed_is_refused_in_words_that_repeat_none_of_it(typed: str) -> None:
    try:
        token.token(typed)
    except TokenInvalid as error:
        assert len(typed.strip()) < 6 or typed not in str(error)
    else:
        pytest.fail("this should be no token")


@hypothesis.given(st.integers(0, len(ONE.text) - 1))
def test_a_token_with_a_character_missing_or_too_many_is_refused_with_the_lengths(place: int) -> None:
    for typed in (ONE.text[:place] + ONE.text[place + 1 :], ONE.text[:place] + "7" + ONE.text[place:]):
        with pytest.raises(TokenInvalid) as caught:
            token.token(typed)
        assert str(SECRET_LENGTH) in str(caught.value)
        assert ONE.secret not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://fleet.example:8471", "https://fleet.example:8471"),
        ("https://fleet.example/", "https://fleet.example"),
        (" https://10.0.0.1:8471 ", "https://10.0.0.1:8471"),
        ("https://[fd00::1]:8471", "https://[fd00::1]:8471"),
    ],
)
def test_a_link_says_where_and_by_what_right(address: str, kept: str) -> None:
    assert invitation(address) == Invitation(kept)
    whole = invitation(Invitation(kept, ONE).text)
    assert whole == Invitation(kept, ONE)


@pytest.mark.parametrize(
    "typed",
    [
        "http://fleet.example",
        "fleet.example",
        "https://",
        "https://host:port",
        "https://host:99999",
        "https://host/path",
        "https://host/?q=1",
        "https://user@host",
        "https://user:pw@host",
        "https://[::1",
        "https://host/#not.a.token",
        "",
    ],
)
def test_a_link_with_anything_that_does_not_belong_there_is_refused(typed: str) -> None:
    with pytest.raises(TokenInvalid):
        invitation(typed)


@hypothesis.given(
    st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100)
)
def test_a_claim_code_is_another_for_another_device_or_another_ca(
    a: bytes, b: bytes, c: bytes, d: bytes
) -> None:
    assert (claim_code(a, b) == claim_code(c, d)) == ((a, b) == (c, d))


def test_a_claim_code_reads_in_three_groups_and_depends_on_which_key_is_whose() -> None:
    code = claim_code(b"device", b"ca")
    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    assert len(code.replace("-", "")) == CLAIM_LENGTH
    assert set(code) <= {*ID_ALPHABET, "-"}
    assert code != claim_code(b"ca", b"device")


def test_pins_and_claim_codes_stay_the_same_over_the_years() -> None:
    assert pin_of(b"ca") == PIN
    assert claim_code(b"device", b"ca") == CLAIM


PIN = "9s9g1h51cxm0xrv12f5f92c64d"
CLAIM = "0m6k-1sxc-g1va"
