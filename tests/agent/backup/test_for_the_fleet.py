"""Backups are sealed for the fleet, too: for the recipient its roots have signed, which a device takes in."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_agent.backup import record
from archipel_agent.core import Core
from archipel_agent.identity.files import IdentityFiles
from archipel_agent.paths import identity_of
from archipel_contract.jobs import Job, JobState, Verb
from archipel_contract.link.envelope import framed
from archipel_contract.trust.sealing import RecoveryKey, new_recovery_key
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust import authoring
from archipel_fleet.trust.keyring import FleetKeys
from tests.agent.backup.machine import KEY, Machine, site

FLEETS: RecoveryKey = new_recovery_key()


@pytest.fixture
def fleet(tmp_path: Path) -> FleetKeys:
    """A fleet whose roots have signed the public half of its recovery key."""
    keys = FleetKeys.first(tmp_path / "fleet", "plants", SystemClock(), os.urandom)
    before = keys.trust.document
    after = authoring.successor(before, authoring.with_recovery(before, [FLEETS.recipient]))
    keys.accept(authoring.countersigned(authoring.draft(after, SystemClock().now()), keys.roots[0]))
    return keys


@pytest.fixture
def member(tmp_path: Path, fleet: FleetKeys) -> Iterator[Machine]:
    """A site whose device has taken in that trust document."""
    machine = site(tmp_path / "root")
    files(machine).keep_trust(framed(fleet.trust_frame), fleet.trust)
    (tmp_path / "stick").mkdir()
    yield machine
    machine.close()


def files(machine: Machine) -> IdentityFiles:
    return IdentityFiles(machine.ports.disk, identity_of(machine.paths))


def back_up(machine: Machine, home: Path) -> Job:
    return machine.do(Verb.BACKUP, to=str(home / "stick"))


def opens(home: Path, key: RecoveryKey, name: str) -> bool:
    """Whether bare hardware becomes the site with this key."""
    file = home / f"{name}.key"
    file.write_text(key.secret)
    fresh = Machine(home / f"fresh-{name}")
    done = fresh.do(Verb.RESTORE, source=str(home / "stick"), key_file=str(file))
    fresh.close()
    return done.state is JobState.SUCCEEDED


def test_a_backup_opens_with_the_owners_key_and_with_the_fleets(member: Machine, tmp_path: Path) -> None:
    assert back_up(member, tmp_path).state is JobState.SUCCEEDED
    assert opens(tmp_path, KEY, "owner") and opens(tmp_path, FLEETS, "fleet")
    assert not opens(tmp_path, new_recovery_key(), "stranger")
    made = record.last(member.store)
    assert made is not None and (made.owner_keys, made.fleet_keys) == (1, 1)


def test_the_fleets_key_alone_is_enough(member: Machine, tmp_path: Path) -> None:
    member.ports.disk.remove(member.paths.settings / "backup-recipients.txt")
    assert back_up(member, tmp_path).state is JobState.SUCCEEDED
    assert opens(tmp_path, FLEETS, "fleet") and not opens(tmp_path, KEY, "owner")


def test_a_fleet_that_was_left_opens_nothing_more(member: Machine, tmp_path: Path) -> None:
    files(member).leave()
    assert back_up(member, tmp_path).state is JobState.SUCCEEDED
    assert opens(tmp_path, KEY, "owner") and not opens(tmp_path, FLEETS, "fleet")


def test_a_trust_document_somebody_changed_seals_nothing(
    member: Machine, fleet: FleetKeys, tmp_path: Path
) -> None:
    frame = framed(fleet.trust_frame).replace(FLEETS.recipient.encode(), KEY.recipient.encode())
    assert frame != framed(fleet.trust_frame)
    member.ports.disk.write(identity_of(member.paths).trust, frame)
    done = back_up(member, tmp_path)
    assert done.finding is not None and done.finding.code == "backup-no-recipients", done.sentence
    assert not list((tmp_path / "stick").iterdir())


def test_the_report_says_who_can_open_the_last_backup(member: Machine, tmp_path: Path) -> None:
    node = member.store.value("node_id") or ""
    core = Core(member.ports, member.paths, member.settings, node, member.store)
    before = core.report(fresh=True).backup
    assert before is not None and before.sequence == 0
    back_up(member, tmp_path)
    after = core.report(fresh=False).backup
    assert after is not None and after.place == str(tmp_path / "stick")
    assert (after.sequence, after.owner_keys, after.fleet_keys, after.drilled_at) == (1, 1, 1, "")
