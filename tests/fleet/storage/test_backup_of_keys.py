"""The fleet's private keys are in no copy, unless somebody asks for them: then they are sealed with a passphrase."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_fleet.backup import (
    MAGIC,
    BackupFailed,
    Copied,
    Keyed,
    Passphrase,
    backup,
    restore,
    verified,
)
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust.keyring import DIRECTORY, FleetKeys
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import NOW

WORDS = Passphrase("seven boats in the bay")
SECRET = re.compile(r"[A-Za-z0-9+/]{40,}")


@pytest.fixture
def keys(ground: Ground) -> Iterator[FleetKeys]:
    ground.open().close()
    yield FleetKeys.first(ground.directory / DIRECTORY, "plant", SystemClock(), ground.entropy)


def private_lines(ground: Ground) -> set[str]:
    """Return the lines of the private keys, each of which would give one away."""
    texts = [path.read_text() for path in (ground.directory / DIRECTORY).glob("*.key")]
    return {line for text in texts for line in SECRET.findall(text)}


def unpacked(copy: Path) -> str:
    return zlib.decompress(copy.read_bytes().removeprefix(MAGIC)).decode()


def elsewhere(ground: Ground) -> Path:
    return ground.directory / "elsewhere"


def moved(ground: Ground, copy: Path, passphrase: Passphrase | None) -> Copied:
    return restore(copy, "", elsewhere(ground), ground.entropy, passphrase)


def test_a_copy_holds_no_private_key(ground: Ground, keys: FleetKeys, tmp_path: Path) -> None:
    made = backup(ground.url, ground.directory, tmp_path / "copy", NOW)
    assert made.keys is Keyed.NONE
    assert private_lines(ground)
    text = unpacked(made.file)
    assert "PRIVATE" not in text
    assert [line for line in private_lines(ground) if line in text] == []
    assert moved(ground, made.file, WORDS).keys is Keyed.NONE


def test_with_keys_they_are_sealed_and_a_controller_elsewhere_goes_on_with_them(
    ground: Ground, keys: FleetKeys, tmp_path: Path
) -> None:
    made = backup(ground.url, ground.directory, tmp_path / "copy", NOW, WORDS)
    text = unpacked(made.file)
    assert "PRIVATE" not in text and WORDS.value not in text
    assert [line for line in private_lines(ground) if line in text] == []
    assert moved(ground, made.file, WORDS).keys is Keyed.RESTORED
    found = FleetKeys(elsewhere(ground) / DIRECTORY, SystemClock())
    assert found.trust.document == keys.trust.document
    assert found.signer.key_id == keys.signer.key_id
    assert found.authority.pem == keys.authority.pem
    modes = {path.stat().st_mode & 0o777 for path in (elsewhere(ground) / DIRECTORY).glob("*.key")}
    assert modes == {0o600}


def test_a_wrong_passphrase_replaces_nothing(ground: Ground, keys: FleetKeys, tmp_path: Path) -> None:
    made = backup(ground.url, ground.directory, tmp_path / "copy", NOW, WORDS)
    with pytest.raises(BackupFailed) as failed:
        moved(ground, made.file, Passphrase("seven boats in the bight"))
    assert failed.value.code == "fleet-passphrase-refused"
    assert not (elsewhere(ground) / DIRECTORY).exists()
    assert not list(elsewhere(ground).glob("*.db")) if elsewhere(ground).exists() else True


def test_keys_that_are_here_stay(ground: Ground, keys: FleetKeys, tmp_path: Path) -> None:
    made = backup(ground.url, ground.directory, tmp_path / "copy", NOW, WORDS)
    own = FleetKeys.first(elsewhere(ground) / DIRECTORY, "other", SystemClock(), ground.entropy)
    assert moved(ground, made.file, WORDS).keys is Keyed.LEFT
    found = FleetKeys(elsewhere(ground) / DIRECTORY, SystemClock())
    assert found.trust.document == own.trust.document


def test_without_the_passphrase_the_rest_is_restored(ground: Ground, keys: FleetKeys, tmp_path: Path) -> None:
    made = backup(ground.url, ground.directory, tmp_path / "copy", NOW, WORDS)
    assert verified(made.file).keys is Keyed.SEALED
    assert moved(ground, made.file, None).keys is Keyed.SEALED
    assert not (elsewhere(ground) / DIRECTORY).exists()


def test_a_short_passphrase_is_refused_before_anything_is_written(
    ground: Ground, keys: FleetKeys, tmp_path: Path
) -> None:
    with pytest.raises(BackupFailed) as failed:
        backup(ground.url, ground.directory, tmp_path / "copy", NOW, Passphrase("boats"))
    assert failed.value.code == "fleet-passphrase-refused"
    assert not (tmp_path / "copy").exists()


def test_a_passphrase_does_not_show_in_what_is_printed_of_it() -> None:
    assert WORDS.value not in repr(WORDS) and WORDS.value not in str(WORDS)
