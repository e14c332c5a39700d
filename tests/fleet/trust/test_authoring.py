"""The next version of a trust document: made by pure functions, refused with a sentence, signed one root after the other."""

from collections.abc import Callable
from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.link.envelope import frame_from, framed
from archipel_contract.trust.certificates import Authority, pin
from archipel_contract.trust.keys import SoftwareSigner, new_device_key, new_fleet_key
from archipel_contract.trust.sealing import new_recovery_key
from archipel_contract.trust.store import NotTrusted, TrustStore
from archipel_contract.trust_document import Delegation, KeyRole, TrustDocument
from archipel_fleet.trust import authoring, founding
from archipel_fleet.trust.authoring import ChangeRefused
from tests.contract.trust.made import CONTROLLER, FLEET, NORA, ROOTS, STRANGER
from tests.fleet.trust.changing import AT, operator

CA = Authority.new(new_device_key(), "plant", founding.BUILT).pem.decode()
OTHER_CA = Authority.new(new_device_key(), "plant", founding.BUILT).pem.decode()
FIRST = authoring.first(
    FLEET,
    "plant",
    tuple(str(one.public) for one in ROOTS[:3]),
    2,
    authoring.controller(CONTROLLER.public),
    CA,
)
WITH_NORA = authoring.successor(FIRST, authoring.delegated(FIRST, operator(public=str(NORA.public))))


def signed_by(document: TrustDocument, *roots: SoftwareSigner) -> bytes:
    """The document as a file, after each root has added its signature to the file of the one before."""
    data = framed(authoring.draft(document, AT))
    for root in roots:
        data = framed(authoring.countersigned(frame_from(data), root))
    return data


def test_two_of_three_roots_sign_one_after_the_other_through_a_file() -> None:
    trusted = TrustStore.first(frame_from(signed_by(FIRST, ROOTS[0], ROOTS[2])))
    after = trusted.after(frame_from(signed_by(WITH_NORA, ROOTS[1], ROOTS[0])))
    assert after.document == WITH_NORA


def test_a_proposal_knows_who_has_signed_and_who_still_has_to() -> None:
    one = authoring.tally(frame_from(signed_by(WITH_NORA, ROOTS[0])), FIRST)
    assert one.signed == (ROOTS[0].key_id,)
    assert set(one.open) == {ROOTS[1].key_id, ROOTS[2].key_id}
    assert not one.is_enough
    two = authoring.tally(frame_from(signed_by(WITH_NORA, ROOTS[0], ROOTS[1], STRANGER)), FIRST)
    assert two.is_enough and two.open == ()


def test_new_roots_have_to_sign_as_well_as_old_ones() -> None:
    changed = authoring.with_roots(
        FIRST, add=[str(ROOTS[3].public)], remove=[ROOTS[0].key_id, ROOTS[1].key_id]
    )
    after = authoring.successor(FIRST, changed)
    old = authoring.tally(frame_from(signed_by(after, ROOTS[0], ROOTS[1])), FIRST)
    assert not old.is_enough
    assert set(old.open) == {ROOTS[2].key_id, ROOTS[3].key_id}
    both = signed_by(after, ROOTS[0], ROOTS[2], ROOTS[3])
    assert authoring.tally(frame_from(both), FIRST).is_enough
    assert TrustStore(FIRST).after(frame_from(both)).document == after


@hypothesis.given(
    st.sets(st.sampled_from(ROOTS[:4])), st.sets(st.integers(0, 3), max_size=2), st.integers(1, 4)
)
def test_what_the_tally_calls_enough_is_exactly_what_every_device_accepts(
    by: set[SoftwareSigner], going: set[int], threshold: int
) -> None:
    remove = [ROOTS[one].key_id for one in going if one < 3]
    changed = authoring.with_roots(FIRST, [str(ROOTS[3].public)] if 3 in going else [], remove, threshold)
    try:
        after = authoring.successor(FIRST, changed)
    except ChangeRefused:
        return
    frame = frame_from(signed_by(after, *by))
    try:
        TrustStore(FIRST).after(frame)
        accepted = True
    except NotTrusted:
        accepted = False
    assert authoring.tally(frame, FIRST).is_enough == accepted


def test_signing_twice_or_with_a_bad_signature_counts_no_more() -> None:
    once = frame_from(signed_by(WITH_NORA, ROOTS[0]))
    assert authoring.countersigned(once, ROOTS[0]) == once
    bad = replace(once, payload=once.payload + b" ")
    assert authoring.tally(bad, FIRST).signed == ()


def test_rights_are_given_replaced_and_taken_for_ever() -> None:
    wider = authoring.delegated(WITH_NORA, operator(public=str(NORA.public), may=("command:*",)))
    assert [one.may for one in wider.keys if one.name == "nora"] == [("command:*",)]
    gone = authoring.revoked(wider, NORA.key_id)
    assert NORA.key_id in gone.revoked
    assert NORA.key_id not in authoring.key_ids(gone)
    with pytest.raises(ChangeRefused, match="stays so"):
        authoring.delegated(gone, operator(public=str(NORA.public)))


def test_a_root_that_goes_is_revoked_and_does_not_come_back() -> None:
    smaller = authoring.with_roots(FIRST, remove=[ROOTS[0].key_id])
    assert smaller.revoked == (ROOTS[0].key_id,)
    with pytest.raises(ChangeRefused, match="revoked"):
        authoring.with_roots(smaller, add=[str(ROOTS[0].public)])
    with pytest.raises(ChangeRefused):
        authoring.delegated(smaller, operator(public=str(ROOTS[0].public)))


def test_a_ca_is_put_before_the_others_and_taken_out_by_its_pin() -> None:
    both = authoring.with_authority(FIRST, OTHER_CA)
    assert both.authorities == (OTHER_CA, CA)
    assert authoring.without_authority(both, pin(CA.encode())).authorities == (OTHER_CA,)


def limited(**fields: object) -> Delegation:
    """A key with something wrong."""
    return replace(operator(), **fields)  # type: ignore[arg-type]  # each test names a field of it


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda: FIRST, "nothing would change"),
        (lambda: replace(FIRST, version=9), "nothing would change"),
        (lambda: authoring.delegated(FIRST, limited(name="  ")), "name"),
        (lambda: authoring.delegated(FIRST, limited(may=())), "may do nothing"),
        (lambda: authoring.delegated(FIRST, limited(may=("everything",))), "'everything'"),
        (lambda: authoring.delegated(FIRST, limited(may=("command:",))), "'command:'"),
        (lambda: authoring.delegated(FIRST, limited(may=("command:LOGS",))), "'command:LOGS'"),
        (lambda: authoring.delegated(FIRST, limited(public="ssh-rsa AAAA")), "no public key"),
        (lambda: authoring.delegated(FIRST, limited(not_before=5, expires=5)), "before it begins"),
        (lambda: authoring.delegated(FIRST, operator(public=str(ROOTS[0].public))), "none of them a root"),
        (lambda: authoring.revoked(FIRST, ROOTS[0].key_id), "rotate roots"),
        (lambda: authoring.revoked(FIRST, "k-0000000000000000"), "no key"),
        (
            lambda: authoring.revoked(authoring.revoked(FIRST, CONTROLLER.key_id), CONTROLLER.key_id),
            "already",
        ),
        (lambda: authoring.with_roots(FIRST, remove=["k-0000000000000000"]), "none of the roots"),
        (lambda: authoring.with_roots(FIRST, add=[str(ROOTS[0].public)]), "root already"),
        (lambda: authoring.with_roots(FIRST, add=["rubbish"]), "no public key"),
        (lambda: authoring.with_roots(FIRST, threshold=4), "threshold of 4 of 3"),
        (lambda: authoring.with_roots(FIRST, remove=authoring.root_ids(FIRST)), "roots are needed"),
        (lambda: authoring.without_authority(FIRST, "x"), "no CA with the pin"),
        (lambda: authoring.without_authority(FIRST, pin(CA.encode())), "without a CA"),
        (lambda: authoring.with_authority(FIRST, "rubbish"), "one of its CAs"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_a_sentence(
    change: Callable[[], TrustDocument], word: str
) -> None:
    with pytest.raises(ChangeRefused) as caught:
        authoring.successor(FIRST, change())
    assert word in str(caught.value)


def test_a_file_that_is_no_proposal_is_refused() -> None:
    from archipel_contract.link.envelope import Frame

    for payload in (
        b"rubbish",
        b"{}",
        b'{"t":"command","at":0,"b":{}}',
        b'{"t":"trust","at":0,"b":{"version":1}}',
    ):
        with pytest.raises(ChangeRefused, match="no proposal"):
            authoring.proposed(Frame(payload=payload))


def test_a_person_s_key_never_becomes_a_controller_by_its_name() -> None:
    named = authoring.delegated(FIRST, operator(name="controller", public=str(STRANGER.public)))
    roles = {one.name: one.role for one in named.keys if one.public == str(STRANGER.public)}
    assert roles == {"controller": KeyRole.OPERATOR}
    assert SoftwareSigner(new_fleet_key()).key_id not in authoring.key_ids(named)


def test_only_the_public_half_of_a_recovery_key_comes_into_a_document() -> None:
    made = new_recovery_key()
    after = authoring.with_recovery(FIRST, [made.recipient, made.recipient])
    assert after.recovery == (made.recipient,)
    assert authoring.successor(FIRST, after).version == 2
    for wrong in (made.secret, "age1", made.recipient[:-1] + "q" * (made.recipient[-1] != "q"), "hello"):
        with pytest.raises(ChangeRefused) as caught:
            authoring.with_recovery(FIRST, [wrong])
        assert made.secret[20:] not in str(caught.value)
