"""The controller's keys on its disk: made without anybody asked, opened again, changed, and refused with a reason."""

import os
import secrets
import stat
import time
from pathlib import Path

import pytest

from archipel_contract import catalogue
from archipel_contract.link.envelope import framed
from archipel_contract.trust.certificates import pin
from archipel_contract.trust.keys import SoftwareSigner, new_device_key, new_fleet_key, to_pem
from archipel_contract.trust.store import TrustStore
from archipel_contract.trust_document import TALK
from archipel_fleet.host.files import DirectoryLock
from archipel_fleet.ports import Keys
from archipel_fleet.trust import authoring, founding
from archipel_fleet.trust.keyring import FleetKeys
from archipel_fleet.trust.refusal import KeysRefused
from tests.contract.trust.made import frame
from tests.fleet.trust.changing import next_version, operator
from tests.fleet.trust.conftest import StandingClock


def code_of(keys: FleetKeys) -> set[str]:
    """Which findings there are."""
    return {one.code for one in keys.findings()}


def refused(place: Path, clock: StandingClock) -> KeysRefused:
    """Why the keys cannot be opened; the finding can be said in both languages without a hole."""
    with pytest.raises(KeysRefused) as caught:
        FleetKeys(place, clock)
    for language in ("en", "de"):
        words = catalogue.words(caught.value.finding, language)
        assert "?" not in words.cause
    return caught.value


def test_the_first_start_makes_everything_a_controller_needs_in_well_under_a_second(
    place: Path, clock: StandingClock
) -> None:
    begun = time.process_time()
    keys: Keys = FleetKeys.first(place, "plant", clock, secrets.token_bytes)
    assert time.process_time() - begun < 0.5
    document = keys.trust.document
    assert (document.version, document.threshold, len(document.roots), document.name) == (1, 1, 1, "plant")
    for purpose in (TALK, "document", "command:restart"):
        keys.trust.require(frame({}, "command", keys.signer), purpose, clock.now())
    assert document.authorities == (keys.authority.pem.decode(),)
    assert TrustStore.first(keys.trust_frame).document == document


def test_every_file_is_its_owner_s_alone(place: Path, keys: FleetKeys) -> None:
    keys.server_files("broker", ["localhost"])
    keys.client_files()
    keys.authorities_file()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    for path in place.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_next_start_finds_the_same_keys(place: Path, clock: StandingClock, keys: FleetKeys) -> None:
    again = FleetKeys.first(place, "another name", clock, secrets.token_bytes)
    assert again.trust.document == keys.trust.document
    assert again.signer.key_id == keys.signer.key_id
    assert again.authority.pem == keys.authority.pem
    assert framed(again.trust_frame) == framed(keys.trust_frame)


def test_two_fleets_have_nothing_in_common(tmp_path: Path, clock: StandingClock, keys: FleetKeys) -> None:
    other = FleetKeys.first(tmp_path / "other", "plant", clock, secrets.token_bytes)
    assert other.trust.document.fleet_id != keys.trust.document.fleet_id
    assert other.signer.key_id != keys.signer.key_id


def test_a_clock_of_1970_makes_no_certificates_of_1970(place: Path) -> None:
    from datetime import UTC, datetime

    keys = FleetKeys.first(
        place, "plant", StandingClock(datetime(1970, 1, 1, tzinfo=UTC)), secrets.token_bytes
    )
    assert keys.server_files("broker", ["localhost"]).not_after.year >= 2027


def test_a_directory_without_keys_is_a_finding_that_says_how_to_make_them(
    place: Path, clock: StandingClock
) -> None:
    assert refused(place, clock).code == "fleet-keys-missing"
    place.mkdir(parents=True)
    assert "keys init" in refused(place, clock).finding.next_step


# --- hints -----------------------------------------------------------------------------------------------------------


def test_a_root_on_this_machine_is_a_hint_until_it_is_moved_away(
    clock: StandingClock, keys: FleetKeys
) -> None:
    (hint,) = keys.findings()
    assert hint.code == "fleet-root-online"
    assert "export-root" in hint.next_step
    (root,) = keys.roots
    assert keys.root_key(root.key_id) is not None
    keys.forget_root(root.key_id)
    assert (keys.findings(), keys.roots, keys.root_key(root.key_id)) == ((), (), None)
    assert FleetKeys(keys.directory, clock).findings() == ()


def test_keys_that_others_could_read_are_closed_to_them_and_said_to_have_been_open(
    place: Path, clock: StandingClock, keys: FleetKeys
) -> None:
    (place / f"{keys.signer.key_id}.key").chmod(0o644)
    place.chmod(0o755)
    again = FleetKeys(place, clock)
    assert "fleet-keys-exposed" in code_of(again)
    assert keys.signer.key_id in str([one.params for one in again.findings()])
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert "fleet-keys-exposed" not in code_of(FleetKeys(place, clock))


def test_keys_that_end_soon_are_a_warning_in_time(clock: StandingClock, keys: FleetKeys) -> None:
    before = keys.trust.document
    key = new_fleet_key()
    limited = authoring.controller(SoftwareSigner(key).public, clock.now() + 60 * 86_400_000)
    keys.accept(next_version(keys, authoring.delegated(before, limited)), [key])
    assert "fleet-keys-ending" not in code_of(keys)
    clock.on(31)
    assert "fleet-keys-ending" in code_of(keys)
    clock.on(-31 + 18 * 365)
    assert any("CA" in one.params.get("what", "") for one in keys.findings())


# --- versions --------------------------------------------------------------------------------------------------------


def test_a_signed_version_comes_into_force_and_all_before_it_are_kept(
    clock: StandingClock, keys: FleetKeys
) -> None:
    for version in (2, 3):
        keys.accept(next_version(keys))
        assert keys.trust.document.version == version
    chain = keys.frames_after(0)
    trusted = TrustStore.first(chain[0])
    for one in chain[1:]:
        trusted = trusted.after(one)
    assert trusted.document == keys.trust.document == FleetKeys(keys.directory, clock).trust.document
    assert [TrustStore.first(one).document.version for one in keys.frames_after(1)] == [2, 3]
    assert keys.frames_after(3) == ()


def test_a_running_controller_takes_in_what_another_command_changed(
    clock: StandingClock, keys: FleetKeys
) -> None:
    running = FleetKeys(keys.directory, clock)
    assert running.reload() is False
    keys.accept(next_version(keys))
    assert running.reload() is True
    assert running.trust.document == keys.trust.document
    assert running.reload() is False
    keys.forget_root(keys.roots[0].key_id)
    assert running.reload() is False
    assert running.findings() == ()


def test_a_running_controller_goes_on_with_what_it_has_when_the_files_are_damaged(
    place: Path, clock: StandingClock, keys: FleetKeys
) -> None:
    (place / "trust-000002.frame").write_bytes(b"rubbish")
    with pytest.raises(KeysRefused):
        keys.reload()
    assert keys.trust.document.version == 1
    (place / "trust-000002.frame").unlink()
    assert keys.reload() is False


def test_an_exchanged_controller_key_takes_over_and_the_old_one_is_removed(
    place: Path, clock: StandingClock, keys: FleetKeys
) -> None:
    old, key = keys.signer.key_id, new_fleet_key()
    changed = authoring.delegated(
        authoring.without_key(keys.trust.document, old), authoring.controller(SoftwareSigner(key).public)
    )
    keys.accept(next_version(keys, changed), [key])
    assert keys.signer.key_id == SoftwareSigner(key).key_id
    assert not (place / f"{old}.key").exists()
    assert FleetKeys(place, clock).signer.key_id == keys.signer.key_id


def test_what_the_roots_did_not_sign_is_not_accepted(keys: FleetKeys) -> None:
    after = authoring.successor(keys.trust.document, authoring.delegated(keys.trust.document, operator()))
    for signer in ([], [keys.signer], [SoftwareSigner(new_fleet_key())]):
        offered = authoring.draft(after, 0)
        for one in signer:
            offered = authoring.countersigned(offered, one)
        with pytest.raises(KeysRefused) as caught:
            keys.accept(offered)
        assert caught.value.code == "fleet-trust-refused"
    assert keys.trust.document.version == 1


def test_a_version_under_which_this_controller_could_not_work_is_not_accepted(
    place: Path, keys: FleetKeys
) -> None:
    before = sorted(place.iterdir())
    without_key = authoring.without_key(keys.trust.document, keys.signer.key_id)
    ca = founding.authority_for(new_device_key(), "plant", founding.BUILT).pem.decode()
    without_ca = authoring.without_authority(
        authoring.with_authority(keys.trust.document, ca), pin(keys.authority.pem)
    )
    for changed, code in ((without_key, "fleet-keys-damaged"), (without_ca, "fleet-authority-unfit")):
        with pytest.raises(KeysRefused) as caught:
            keys.accept(next_version(keys, changed))
        assert caught.value.code == code
    assert sorted(place.iterdir()) == before


def test_of_two_commands_that_change_at_once_the_second_has_to_begin_again(
    clock: StandingClock, keys: FleetKeys
) -> None:
    other = FleetKeys(keys.directory, clock)
    first, second = next_version(keys), next_version(other)
    lock = DirectoryLock(keys.directory)
    with pytest.raises(KeysRefused, match="another command"):
        keys.accept(first)
    lock.release()
    keys.accept(first)
    with pytest.raises(KeysRefused, match="begin again"):
        other.accept(second)
    assert FleetKeys(keys.directory, clock).trust.document == keys.trust.document


def test_accepting_the_version_in_force_again_changes_nothing(place: Path, keys: FleetKeys) -> None:
    before = sorted(place.iterdir())
    keys.accept(keys.trust_frame)
    assert sorted(place.iterdir()) == before


# --- damage ----------------------------------------------------------------------------------------------------------


def damage_controller(place: Path, keys: FleetKeys) -> None:
    (place / f"{keys.signer.key_id}.key").write_text("rubbish")


def damage_named(place: Path, keys: FleetKeys) -> None:
    (place / f"{keys.signer.key_id}.key").write_bytes(to_pem(new_fleet_key()))


def damage_missing(place: Path, keys: FleetKeys) -> None:
    (place / f"{keys.signer.key_id}.key").unlink()


def damage_frame(place: Path, keys: FleetKeys) -> None:
    path = place / "trust-000001.frame"
    path.write_bytes(path.read_bytes()[:100])


def damage_number(place: Path, keys: FleetKeys) -> None:
    (place / "trust-000007.frame").write_bytes(framed(keys.trust_frame))


def damage_no_frame(place: Path, keys: FleetKeys) -> None:
    (place / "trust-000001.frame").unlink()


def damage_forged(place: Path, keys: FleetKeys) -> None:
    path = place / "trust-000001.frame"
    path.write_bytes(path.read_bytes().replace(b'"plant"', b'"plane"'))


def damage_ca(place: Path, keys: FleetKeys) -> None:
    from archipel_contract.trust.certificates import read

    (place / f"{read(keys.authority.pem).public.key_id}.key").unlink()


@pytest.mark.parametrize(
    ("damage", "code", "word"),
    [
        (damage_controller, "fleet-keys-damaged", "no private key"),
        (damage_named, "fleet-keys-damaged", "another key"),
        (damage_missing, "fleet-keys-damaged", "none of the controller's keys"),
        (damage_frame, "fleet-keys-damaged", "begin like"),
        (damage_number, "fleet-keys-damaged", "version 1"),
        (damage_no_frame, "fleet-keys-damaged", "no version"),
        (damage_forged, "fleet-trust-refused", "not one of"),
        (damage_ca, "fleet-authority-unfit", "no private key here"),
    ],
)
def test_damage_is_refused_with_the_file_and_nothing_is_replaced(
    place: Path, clock: StandingClock, keys: FleetKeys, damage: object, code: str, word: str
) -> None:
    assert callable(damage)
    damage(place, keys)
    before = {path: path.read_bytes() for path in place.iterdir() if path.is_file()}
    error = refused(place, clock)
    assert error.code == code
    assert word in str(error)
    assert "PRIVATE" not in str(error)
    with pytest.raises(KeysRefused):
        FleetKeys.first(place, "plant", clock, secrets.token_bytes)
    assert {path: path.read_bytes() for path in place.iterdir() if path.is_file()} == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_changes_stays_readable_for_the_controller_s_user(
    tmp_path: Path, clock: StandingClock
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 4711, 4711)
    keys = FleetKeys.first(data / "keys", "plant", clock, secrets.token_bytes)
    keys.accept(next_version(keys))
    for path in (keys.directory, *keys.directory.glob("*.key"), *keys.directory.glob("*.frame")):
        assert path.stat().st_uid == 4711, path
