"""The next trust document is taken only from the roots: by their thresholds, forwards, and whole."""

from dataclasses import replace

import pytest

from archipel_contract.link.envelope import Frame, Signature, frame_from, framed
from archipel_contract.trust.keys import SoftwareSigner
from archipel_contract.trust.store import (
    KEYS_LIMIT,
    RECIPIENT_LIMIT,
    RECOVERY_LIMIT,
    ROOTS_LIMIT,
    NotTrusted,
    TrustStore,
)
from archipel_contract.trust_document import FORMAT, TrustDocument
from tests.contract.trust.made import (
    CONTROLLER,
    KEYS,
    ROOTS,
    STRANGER,
    code_of,
    delegation,
    document,
    signer,
    store,
    trust,
)


def refused(frame: Frame, before: TrustDocument | None = None) -> str:
    """The code with which a store refuses this as its next document."""
    with pytest.raises(NotTrusted) as caught:
        store(before).after(frame)
    return code_of(caught.value)


def test_the_first_document_is_signed_by_enough_of_its_own_roots() -> None:
    assert TrustStore.first(trust(document(), *ROOTS[1:3])).document == document()
    for few in ((), ROOTS[:1], [ROOTS[0], STRANGER]):
        with pytest.raises(NotTrusted):
            TrustStore.first(trust(document(), *few))


def test_the_next_version_needs_the_roots_before_and_its_own() -> None:
    after = document(2, roots=ROOTS[2:5], threshold=3)
    assert store().after(trust(after, *ROOTS[1:5])).document == after
    assert refused(trust(after, *ROOTS[2:5])) == "message-untrusted"  # one of the roots before, of two
    assert refused(trust(after, *ROOTS[:4])) == "message-untrusted"  # two of its own, of three


def test_versions_may_be_passed_over_by_a_device_that_was_away() -> None:
    assert store().after(trust(document(40), *ROOTS[:2])).document.version == 40


def test_a_device_that_was_away_while_all_roots_were_exchanged_follows_version_by_version() -> None:
    second, third = document(2, roots=ROOTS[1:4]), document(3, roots=ROOTS[3:5])
    chain = [trust(second, *ROOTS[1:3]), trust(third, *ROOTS[1:5])]
    trusted = store()
    assert refused(trust(third, *ROOTS[3:5])) == "message-untrusted"
    for frame in chain:
        trusted = trusted.after(frame_from(framed(frame)))
    assert trusted.document == third


def test_the_same_document_again_changes_nothing() -> None:
    trusted = store()
    assert trusted.after(trust(document(), *ROOTS[:2])) is trusted


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (document(4), "trust-rolled-back"),
        (document(5, keys=KEYS[:1]), "trust-rolled-back"),  # a fork of the version in force
        (document(6, fleet_id="f-1111111111111111"), "trust-not-of-this-fleet"),
        (document(6, roots=[]), "message-malformed"),
        (document(6, threshold=0), "message-malformed"),
        (document(6, threshold=4), "message-malformed"),
        (document(6, roots=[ROOTS[0], ROOTS[0], ROOTS[1]]), "message-malformed"),
        (document(6, keys=(*KEYS, KEYS[0])), "message-malformed"),
        (document(6, keys=(*KEYS, delegation(ROOTS[0], "root", "talk"))), "message-malformed"),
        (document(6, revoked=(ROOTS[0].key_id,)), "message-malformed"),
        (document(1 << 63), "message-malformed"),
        (document(6, format=FORMAT + 1), "message-newer"),
        (document(6, roots=[signer(100 + one) for one in range(ROOTS_LIMIT + 1)]), "message-malformed"),
        (
            document(
                6, keys=tuple(delegation(signer(100 + one), "x", "talk") for one in range(KEYS_LIMIT + 1))
            ),
            "message-malformed",
        ),
        (replace(document(6), keys=(replace(KEYS[0], public="ed25519:AAAA"),)), "message-malformed"),
        (document(6, recovery=("age1x",) * (RECOVERY_LIMIT + 1)), "message-malformed"),
        (document(6, recovery=("age1" + "x" * RECIPIENT_LIMIT,)), "message-malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_contradicts_itself_or_goes_back_is_refused_even_when_the_roots_signed(
    offered: TrustDocument, code: str
) -> None:
    assert refused(trust(offered, *ROOTS[:3]), document(5)) == code


def test_one_root_signing_twice_counts_once() -> None:
    twice = trust(document(2), ROOTS[0])
    assert refused(replace(twice, signatures=twice.signatures * 2)) == "message-untrusted"


def test_signatures_of_others_are_worth_nothing_and_do_no_harm() -> None:
    assert store().after(trust(document(2), STRANGER, *ROOTS[:2], CONTROLLER)).document.version == 2
    assert refused(trust(document(2), STRANGER, CONTROLLER, ROOTS[0])) == "message-untrusted"
    assert refused(trust(document(2))) == "message-unsigned"


def test_no_byte_of_a_signed_document_can_be_changed() -> None:
    good = trust(document(2), *ROOTS[:2])
    for place in range(0, len(good.payload), 7):
        changed = bytearray(good.payload)
        changed[place] ^= 1
        assert refused(replace(good, payload=bytes(changed))) == "message-forged"


def test_a_signature_under_another_root_s_name_is_a_forgery() -> None:
    good = trust(document(2), ROOTS[0])
    lent = Signature(ROOTS[1].key_id, good.signatures[0].value)
    assert refused(replace(good, signatures=(*good.signatures, lent))) == "message-forged"


def test_another_message_that_roots_signed_is_no_trust_document() -> None:
    from tests.contract.trust.made import frame

    assert refused(frame(document(2), "command", *ROOTS[:2])) == "message-foreign"


@pytest.mark.parametrize(
    "payload", [b"", b"rubbish", b"[]", b"\xff", b'{"v":99,"t":"trust","at":0}', b'{"t":1}']
)
def test_what_is_no_message_at_all_is_refused_like_everything_else(payload: bytes) -> None:
    signatures = tuple(Signature(one.key_id, one.sign(payload)) for one in ROOTS[:2])
    for reading in (TrustStore.first, store().after):
        with pytest.raises(NotTrusted) as caught:
            reading(Frame(payload=payload, signatures=signatures))
        assert code_of(caught.value) in ("message-malformed", "message-newer")


@pytest.mark.parametrize("whose", [STRANGER, CONTROLLER])
def test_nobody_below_the_roots_can_sign_a_document(whose: SoftwareSigner) -> None:
    assert refused(trust(document(2, threshold=1, roots=[whose]), whose)) == "message-untrusted"
