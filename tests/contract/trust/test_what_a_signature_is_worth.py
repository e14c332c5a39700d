"""What a signature of a fleet's key is worth: by whom, for what, where, and when."""

from dataclasses import replace
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link.envelope import Signature
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.store import NotTrusted
from archipel_contract.trust_document import DOCUMENT, TALK
from tests.contract.trust.made import (
    CONTROLLER,
    DAY,
    KEYS,
    NORA,
    NORA_TOO,
    NOW,
    OTTO,
    READER,
    ROOTS,
    STRANGER,
    code_of,
    delegation,
    document,
    frame,
    store,
)

BODY = {"x": 1}


def refused(
    *signers: SoftwareSigner,
    purpose: str,
    needed: int = 1,
    now: int | None = NOW,
    site: str = "s-a",
    **more: Any,
) -> str:
    """The code with which a signature by these is refused."""
    with pytest.raises(NotTrusted) as caught:
        store(document(**more)).require(frame(BODY, "command", *signers), purpose, now, needed, site)
    return code_of(caught.value)


def test_a_key_may_what_the_document_says_and_nothing_else() -> None:
    assert store().require(frame(BODY, "command", READER), "command:logs", NOW).keys == (KEYS[4],)
    for purpose in ("command:restart", "command:*", "command:", TALK, DOCUMENT, "command:logs2"):
        assert refused(READER, purpose=purpose) == "message-untrusted"


def test_all_commands_are_no_talk_and_no_document() -> None:
    said: dict[str, Any] = {"keys": (delegation(NORA, "nora", "command:*"),)}
    assert refused(NORA, purpose=TALK, **said) == "message-untrusted"
    assert refused(NORA, purpose=DOCUMENT, **said) == "message-untrusted"


def test_roots_and_strangers_command_nothing() -> None:
    assert refused(STRANGER, purpose="command:logs") == "message-untrusted"
    assert refused(ROOTS[0], purpose="command:logs") == "message-untrusted"
    assert refused(purpose="command:logs") == "message-unsigned"


def test_a_revoked_key_is_worth_nothing_even_where_the_document_still_names_it() -> None:
    assert refused(NORA, purpose="command:logs", revoked=(NORA.key_id,)) == "message-revoked"
    assert refused(CONTROLLER, NORA, purpose="command:logs", revoked=(NORA.key_id,)) == "message-revoked"


@hypothesis.given(st.integers(0, 4 * DAY), st.integers(1, DAY), st.integers(1, DAY))
def test_a_key_counts_from_its_beginning_until_just_before_its_end(at: int, begin: int, length: int) -> None:
    trusted = store(
        document(keys=(delegation(NORA, "nora", TALK, not_before=begin, expires=begin + length),))
    )
    try:
        trusted.require(frame(BODY, "welcome", NORA), TALK, at)
        heeded = True
    except NotTrusted as error:
        assert code_of(error) == "message-expired-key"
        heeded = False
    assert heeded == (begin <= at < begin + length)
    trusted.require(frame(BODY, "welcome", NORA), TALK, None)


def test_a_key_for_one_site_is_worth_nothing_at_another_or_before_a_site_is_known() -> None:
    said: dict[str, Any] = {"keys": (delegation(NORA, "nora", TALK, sites=("s-a", "s-b")),)}
    store(document(**said)).require(frame(BODY, "welcome", NORA), TALK, NOW, site_id="s-b")
    for site in ("s-c", "", "s-"):
        assert refused(NORA, purpose=TALK, site=site, **said) == "message-untrusted"


@pytest.mark.parametrize(
    ("signers", "enough"),
    [
        ((NORA, OTTO), True),
        ((CONTROLLER, NORA), True),
        ((NORA, NORA), False),
        ((NORA, NORA_TOO), False),  # two keys of one person
        ((NORA,), False),
        ((NORA, READER), False),
        ((NORA, STRANGER), False),
        ((NORA, ROOTS[0]), False),
    ],
)
def test_two_signatures_are_those_of_two_people_or_of_one_and_the_controller(
    signers: tuple[SoftwareSigner, ...], enough: bool
) -> None:
    if enough:
        assert len(store().require(frame(BODY, "command", *signers), "command:reset", NOW, 2).keys) == 2
    else:
        assert refused(*signers, purpose="command:reset", needed=2) == "message-untrusted"


def test_a_fleet_s_two_controllers_are_one_holder() -> None:
    keys = (KEYS[0], replace(KEYS[0], public=str(STRANGER.public), name="other"))
    assert refused(CONTROLLER, STRANGER, purpose="command:reset", needed=2, keys=keys) == "message-untrusted"


def test_a_bad_signature_spoils_the_message_even_beside_good_ones() -> None:
    good = frame(BODY, "command", CONTROLLER)
    bad = replace(good, signatures=(*good.signatures, Signature(NORA.key_id, b"x" * 64)))
    with pytest.raises(NotTrusted) as caught:
        store().require(bad, "command:logs", NOW)
    assert code_of(caught.value) == "message-forged"
    with pytest.raises(NotTrusted) as caught:
        store().authentic(bad)
    assert code_of(caught.value) == "message-forged"


@hypothesis.given(st.binary(min_size=1, max_size=100), st.data())
def test_no_rubbish_passes_for_a_signature_and_none_breaks_the_reader(
    rubbish: bytes, data: st.DataObject
) -> None:
    key_id = data.draw(st.sampled_from([CONTROLLER.key_id, STRANGER.key_id, ROOTS[0].key_id, "unknown"]))
    message = replace(frame(BODY, "command"), signatures=(Signature(key_id, rubbish),))
    with pytest.raises(NotTrusted):
        store().authentic(message)
    with pytest.raises(NotTrusted):
        store().require(message, "command:logs", NOW)
