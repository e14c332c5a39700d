"""Sealing: what is sealed for several keys opens with each of them, whole or not at all."""

import io

import hypothesis
import hypothesis.strategies as st
import pytest

from archipel_contract.trust import sealing
from archipel_contract.trust.sealing import (
    NotForThisKey,
    RecipientInvalid,
    RecoveryKeyInvalid,
    SealBroken,
    new_recovery_key,
)

OWNER, FLEET, STRANGER = new_recovery_key(), new_recovery_key(), new_recovery_key()
BOTH = (OWNER.recipient, FLEET.recipient)
CONTENT = bytes(range(256)) * 800  # several chunks of age


def sealed(content: bytes = CONTENT) -> bytes:
    out = io.BytesIO()
    sealing.seal((content[at : at + 7001] for at in range(0, len(content), 7001)), out, BOTH)
    return out.getvalue()


def opened(data: bytes, secret: str) -> bytes:
    out = io.BytesIO()
    sealing.open_sealed(io.BytesIO(data), out, [secret])
    return out.getvalue()


SEALED = sealed()


@pytest.mark.parametrize("key", [OWNER, FLEET], ids=["owner", "fleet"])
def test_each_key_it_was_sealed_for_opens_it(key: sealing.RecoveryKey) -> None:
    assert opened(SEALED, key.secret) == CONTENT
    assert opened(sealed(b""), key.secret) == b""


def test_another_key_does_not_and_is_told_so() -> None:
    with pytest.raises(NotForThisKey):
        opened(SEALED, STRANGER.secret)


def test_nothing_is_sealed_for_nobody() -> None:
    out = io.BytesIO()
    with pytest.raises(RecipientInvalid):
        sealing.seal([b"secret"], out, [])
    assert out.getvalue() == b""


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
@hypothesis.example(len(SEALED) - 1, 1)
def test_a_byte_changed_anywhere_is_noticed(place: int, change: int) -> None:
    broken = bytearray(SEALED)
    broken[place] ^= change
    with pytest.raises(SealBroken):
        opened(bytes(broken), OWNER.secret)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(st.integers(0, len(SEALED) - 1))
def test_a_file_cut_off_anywhere_is_noticed(length: int) -> None:
    with pytest.raises(SealBroken):
        opened(SEALED[:length], OWNER.secret)


class TornStick(io.BytesIO):
    """A file whose device goes away after a while."""

    def read(self, size: int | None = -1) -> bytes:
        """Read, or fail as a pulled stick does."""
        if self.tell() > 100_000:
            raise OSError(5, "Input/output error")
        return super().read(size)

    def write(self, data: object) -> int:
        """Write, or fail in the same way."""
        if self.tell() > 50_000:
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]  # bytes, as everywhere here


def test_what_the_disk_says_is_said_and_not_that_the_seal_is_broken() -> None:
    with pytest.raises(OSError, match="Input/output") as torn:
        sealing.open_sealed(TornStick(SEALED), io.BytesIO(), [OWNER.secret])
    assert torn.value.errno == 5
    with pytest.raises(OSError, match="No space") as full:
        sealing.seal([CONTENT], TornStick(), BOTH)
    assert full.value.errno == 28


def test_an_error_of_the_content_comes_through_as_it_is() -> None:
    def content() -> "io.BytesIO":
        raise KeyError("the content's own")

    with pytest.raises(KeyError):
        sealing.seal((content() for _ in range(1)), io.BytesIO(), BOTH)  # type: ignore[misc]  # never yields


@pytest.mark.parametrize(
    "typed",
    [
        OWNER.secret,
        f"# a remark\n{OWNER.secret}\n",
        OWNER.secret.lower(),
        "  ".join(OWNER.secret[at : at + 6] for at in range(0, len(OWNER.secret), 6)),
        f"# made by age-keygen\n# public key: {OWNER.recipient}\n{OWNER.secret}\r\n",
    ],
)
def test_a_key_is_read_however_it_was_typed(typed: str) -> None:
    assert sealing.secrets_in(typed) == (OWNER.secret,)


def test_a_file_with_several_keys_gives_each() -> None:
    assert sealing.secrets_in(f"{OWNER.secret}\n{FLEET.secret}\n") == (OWNER.secret, FLEET.secret)


@pytest.mark.parametrize("place", [20, 40, 60, 73])
def test_a_typing_error_in_a_key_is_found_and_the_key_is_not_repeated(place: int) -> None:
    wrong = "Q" if OWNER.secret[place] != "Q" else "P"
    typed = OWNER.secret[:place] + wrong + OWNER.secret[place + 1 :]
    with pytest.raises(RecoveryKeyInvalid) as refused:
        sealing.secrets_in(typed)
    assert OWNER.secret[20:40] not in str(refused.value)


@pytest.mark.parametrize("text", ["", "age1", OWNER.secret, OWNER.recipient[:-1], "ssh-ed25519 AAAA"])
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(RecipientInvalid) as refused:
        sealing.checked_recipient(text)
    assert OWNER.secret[20:40] not in str(refused.value)


def test_the_public_half_of_a_secret_is_its_recipient() -> None:
    assert sealing.recipient_of(OWNER.secret) == OWNER.recipient
    assert OWNER.secret not in str(OWNER.recipient)
