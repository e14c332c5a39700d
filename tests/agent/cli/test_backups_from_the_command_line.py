"""`archipel backup` and `archipel restore` as a person types them."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.backup.manifest import Adopted
from archipel_agent.backup.recipients import recipients_file
from archipel_contract.exits import Exit
from archipel_contract.site import Network
from archipel_contract.status import BackupStatus
from archipel_contract.trust.sealing import new_recovery_key, recipient_of
from tests.agent.backup.test_format import KEY, PLAIN, sealed
from tests.agent.bundles.machine import GOOD_FILE
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import ScriptedService

NAME = "archipel-s-1-000012.tar.gz.age"
ARRIVED = BackupStatus(
    sequence=7, at="2026-01-02T03:03:05Z", place="/media/usb", owner_keys=1, fleet_keys=2
)  # a minute before the report


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A stick with a backup, a half-written one, and something else on it."""
    place = tmp_path / "stick"
    place.mkdir()
    (place / NAME).write_bytes(sealed([]))
    (place / ("." + NAME)).write_bytes(b"torn")
    (place / "photo.jpg").write_bytes(b"x")
    return place


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "recovery.key"
    path.write_text(f"# kept in the safe\n{KEY.secret}\n")
    return path


def test_a_new_key_is_shown_once_in_words_that_say_how_to_keep_it(archipel: Archipel) -> None:
    said = archipel("backup", "key", "new")
    assert said.code == Exit.OK
    secret = said.out.splitlines()[-1]
    file = recipients_file(archipel.paths)
    assert recipient_of(secret) in file.read_text() and secret not in file.read_text()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert "shown once" in said.err and "safe" in said.err
    groups = "".join(line.strip() for line in said.err.splitlines() if line.startswith("    ")).replace(
        " ", ""
    )
    assert groups == secret


def test_a_second_key_is_added_and_both_are_listed(archipel: Archipel) -> None:
    first = archipel("backup", "key", "new", "--json").data["recipient"]
    other = new_recovery_key().recipient
    assert archipel("backup", "key", "add", other).code == Exit.OK
    assert archipel("backup", "key", "add", other).code == Exit.OK
    assert archipel("backup", "key", "list", "--json").data == {
        "recipients": [first, other],
        "fleet": [],
    }


def test_a_secret_key_is_never_taken_for_a_public_one(archipel: Archipel) -> None:
    said = archipel("backup", "key", "add", KEY.secret)
    assert said.code == Exit.USAGE and KEY.secret[20:40] not in said.err + said.out
    assert not recipients_file(archipel.paths).exists()


def test_without_any_key_the_list_names_the_way_to_one(archipel: Archipel) -> None:
    said = archipel("backup", "key", "list")
    assert said.code == Exit.NOT_OK and "archipel backup key new" in said.err


def test_a_target_is_listed_without_what_is_no_backup(archipel: Archipel, stick: Path) -> None:
    said = archipel("backup", "list", "--to", str(stick), "--json")
    assert said.code == Exit.OK
    assert [(one["site"], one["sequence"], one["name"]) for one in said.data["backups"]] == [
        ("s-1", 12, NAME)
    ]


def test_a_whole_backup_is_verified_and_shown(archipel: Archipel, stick: Path, key: Path) -> None:
    for words in ((str(stick / NAME),), ("--to", str(stick))):
        said = archipel("backup", "verify", *words, "--from-key", str(key))
        assert said.code == Exit.OK, said.err
        assert "Halle 3" in said.out and "v1.36.3+k3s1" in said.out
    assert not list((archipel.paths.state / "backup").glob("verify-*"))


def test_a_damaged_backup_and_a_wrong_key_are_told_apart(
    archipel: Archipel, stick: Path, key: Path, tmp_path: Path
) -> None:
    whole = (stick / NAME).read_bytes()
    (stick / NAME).write_bytes(whole[:-20])
    said = archipel("backup", "verify", str(stick / NAME), "--from-key", str(key))
    assert said.code == Exit.NOT_OK and "not whole" in said.err
    (stick / NAME).write_bytes(whole)
    key.write_text(new_recovery_key().secret)
    said = archipel("backup", "verify", str(stick / NAME), "--from-key", str(key))
    assert said.code == Exit.NOT_OK and "does not open" in said.err


def test_a_stick_that_is_not_in_is_named(archipel: Archipel, tmp_path: Path) -> None:
    said = archipel("backup", "list", "--to", str(tmp_path / "away"))
    assert said.code == Exit.NOT_OK and "does not answer" in said.err


def test_a_place_that_is_none_is_a_matter_of_words(archipel: Archipel) -> None:
    assert archipel("backup", "list", "--to", "ftp://x/y").code == Exit.USAGE


def test_without_a_key_no_restore_is_begun(archipel: Archipel) -> None:
    said = archipel("restore", "x")
    assert said.code == Exit.USAGE and "--from-key" in said.err


def test_the_plan_of_a_restore_says_what_is_in_the_backup(archipel: Archipel, stick: Path, key: Path) -> None:
    said = archipel("restore", str(stick), "--from-key", str(key), "--plan")
    assert "Halle 3 (s-1), node press-7" in said.out and "v1.36.3+k3s1" in said.out, said.out + said.err
    assert "would:" in said.out and "Put data and settings in place" in said.out
    assert (
        archipel("restore", str(stick), "--from-key", str(key), "--plan", "--json").data["backup"]["sequence"]
        == 12
    )
    key.write_text(new_recovery_key().secret)
    said = archipel("restore", str(stick), "--from-key", str(key), "--plan")
    assert said.code == Exit.REFUSED and "does not open" in said.out
    assert archipel.paths.state.exists() is False or not list(archipel.paths.state.glob("backup/*"))


def test_the_plan_of_a_restore_names_each_setting_of_an_adopted_k3s_that_becomes_another(
    archipel: Archipel, stick: Path, key: Path
) -> None:
    told = Adopted(
        arguments={"node-external-ip": ("198.51.100.7",), "tls-san": ("old.example",)},
        network=Network(node_ip="192.0.2.7", interface="eth0"),
        components=("coredns",),
    )
    (stick / NAME).write_bytes(sealed([], replace(PLAIN, adopted=told)))
    said = archipel("restore", str(stick), "--from-key", str(key), "--plan")
    assert said.code == Exit.REFUSED
    assert "node-external-ip: was 198.51.100.7, becomes not set" in said.out
    assert "secrets-encryption: was not set, becomes true" in said.out
    assert "--drop-settings" in said.out and "old.example" not in said.out
    said = archipel("restore", str(stick), "--from-key", str(key), "--plan", "--drop-settings")
    assert said.code == Exit.OK and "node-external-ip: was" in said.out
    false = replace(told, network=replace(told.network, service_cidr="nonsense"))
    (stick / NAME).write_bytes(sealed([], replace(PLAIN, adopted=false)))
    assert archipel("restore", str(stick), "--from-key", str(key), "--plan").code == Exit.REFUSED


def test_the_plan_of_a_restore_says_where_its_k3s_comes_from(
    archipel: Archipel, stick: Path, key: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "edge.archipel-bundle"
    bundle.write_bytes(GOOD_FILE)
    given = ("restore", str(stick), "--from-key", str(key), "--plan")
    assert "the bundle's would be used" not in archipel(*given).out
    said = archipel(*given, "--bundle", str(bundle))
    assert "the bundle's would be used" in said.out and "Lay out the bundle" in said.out, said.out + said.err


def test_the_plan_of_backups_can_be_seen(archipel: Archipel) -> None:
    said = archipel("backup", "schedule")
    assert said.code == Exit.NOT_OK
    assert "nowhere" in said.out and "never" in said.out


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (BackupStatus(), "none yet, none planned: archipel backup --help"),
        (
            BackupStatus(planned_to="/media/usb", problem="no stick"),
            "planned to /media/usb; failed: no stick",
        ),
        (
            ARRIVED,
            "7, 1:00 ago, at /media/usb, opens with a key: 1 of the owner or 2 of the fleet, never drilled",
        ),
        (
            replace(ARRIVED, drilled_at="2026-01-01T03:03:05Z", owner_keys=0),
            "key: 2 of the fleet, drilled 2026-01-01",
        ),
        (replace(ARRIVED, problem="the stick is full"), "the last try failed: the stick is full"),
    ],
)
def test_status_tells_in_one_line_how_backups_stand(
    agent: Archipel, service: ScriptedService, seen: BackupStatus, said: str
) -> None:
    assert "\n  backup" not in agent("status").out
    service.current = replace(service.current, backup=seen)
    (line,) = [line for line in agent("status").out.splitlines() if line.startswith("  backup")]
    assert said in line
