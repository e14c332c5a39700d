"""Signatures agree with the stock program in both directions, and nothing altered passes."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.trust import minisign
from archipel_contract.trust.keys import KeyInvalid, SignatureInvalid

OURS = minisign.new_signer(bytes(range(40)))
OTHER = minisign.new_signer(bytes(range(1, 41)))
TEXT = b"what is signed\n"
SIGNED = OURS.sign(TEXT, "sequence 7")

needs_tool = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed here")


def run(place: Path, *words: str, said: str = "") -> None:
    subprocess.run(["minisign", *words], cwd=place, check=True, input=said, text=True, capture_output=True)


@needs_tool
@pytest.mark.real_process
def test_the_stock_program_accepts_our_signature_and_our_keys(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(TEXT)
    (tmp_path / "f.minisig").write_bytes(SIGNED)
    (tmp_path / "key.pub").write_bytes(minisign.public_text(OURS.public))
    (tmp_path / "key").write_bytes(OURS.secret_text())
    run(tmp_path, "-V", "-p", "key.pub", "-m", "f")
    run(tmp_path, "-S", "-s", "key", "-m", "f", "-x", "again.minisig", "-t", "by the tool")
    made = minisign.parsed((tmp_path / "again.minisig").read_bytes())
    assert made.number == OURS.public.number != OTHER.public.number
    minisign.verify(TEXT, made, OURS.public.key)
    assert made.comment == "by the tool"


@needs_tool
@pytest.mark.real_process
def test_we_sign_with_a_key_of_the_stock_program_and_accept_its_signature(tmp_path: Path) -> None:
    run(tmp_path, "-G", "-W", "-p", "key.pub", "-s", "key")
    public = minisign.public_key((tmp_path / "key.pub").read_bytes())
    signer = minisign.signer((tmp_path / "key").read_bytes())
    assert signer.public == public
    assert f"public key {public.id}" in (tmp_path / "key.pub").read_text()
    (tmp_path / "f").write_bytes(TEXT)
    (tmp_path / "f.minisig").write_bytes(signer.sign(TEXT, "ours"))
    run(tmp_path, "-V", "-p", "key.pub", "-m", "f")


@needs_tool
@pytest.mark.real_process
@pytest.mark.prove
def test_a_key_that_the_stock_program_locked_opens_with_its_password(tmp_path: Path) -> None:
    run(tmp_path, "-G", "-p", "key.pub", "-s", "key", said="secret\nsecret\n")
    locked = (tmp_path / "key").read_bytes()
    with pytest.raises(minisign.PasswordNeeded):
        minisign.signer(locked)
    with pytest.raises(KeyInvalid, match="password is wrong"):
        minisign.signer(locked, b"guess")
    assert minisign.signer(locked, b"secret").public == minisign.public_key(
        (tmp_path / "key.pub").read_bytes()
    )


def test_our_own_texts_are_read_back() -> None:
    assert minisign.public_key(minisign.public_text(OURS.public)) == OURS.public
    assert minisign.signer(OURS.secret_text()).public == OURS.public
    assert minisign.signer(OURS.secret_text()).sign(TEXT, "sequence 7") == SIGNED


def test_a_signature_is_not_another_keys() -> None:
    with pytest.raises(SignatureInvalid):
        minisign.verify(TEXT, minisign.parsed(SIGNED), OTHER.public.key)


@pytest.mark.parametrize("text", [TEXT + b" ", b"", TEXT[:-1]])
def test_another_text_is_not_what_was_signed(text: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        minisign.verify(text, minisign.parsed(SIGNED), OURS.public.key)


def test_the_comment_below_is_signed_too() -> None:
    with pytest.raises(SignatureInvalid):
        minisign.verify(TEXT, minisign.parsed(SIGNED.replace(b"sequence 7", b"sequence 9")), OURS.public.key)


@hypothesis.given(place=st.integers(0, len(SIGNED) - 1), value=st.integers(0, 255))
def test_an_altered_signature_fails_or_is_the_same_signature(place: int, value: int) -> None:
    altered = bytearray(SIGNED)
    altered[place] = value
    try:
        made = minisign.parsed(bytes(altered))
        minisign.verify(TEXT, made, OURS.public.key)
    except (minisign.SignatureMalformed, SignatureInvalid):
        return
    # The number only says whose it may be: whoever verifies chooses the key by it.
    assert replace(made, number=OURS.public.number) == minisign.parsed(SIGNED)


@hypothesis.given(text=st.binary(max_size=400))
def test_any_text_is_a_key_or_a_signature_or_is_refused(text: bytes) -> None:
    for read in (minisign.parsed, minisign.public_key, minisign.signer):
        with pytest.raises((minisign.SignatureMalformed, KeyInvalid)):
            read(text)


def test_a_comment_of_two_lines_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="one short line"):
        OURS.sign(TEXT, "one\ntrusted comment: two")


def test_a_signature_of_the_old_kind_is_refused_with_the_way_out() -> None:
    first, second, *rest = SIGNED.decode().split("\n")
    old = "\n".join([first, "RW" + second[2:], *rest]).encode()
    with pytest.raises(minisign.SignatureMalformed, match=r"minisign 0\.10"):
        minisign.parsed(old)
