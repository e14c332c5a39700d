"""What a technician does with a stick, on a real FAT and exFAT: bundles and backups are written to it, listed and used from
it; full, read-only, dirty or pulled it leaves the machine as it was, and the finding says what to do.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.backup.directory import DirectoryTarget
from archipel_agent.backup.targets import TargetFailed
from archipel_agent.bundles import building
from archipel_agent.bundles.importing import PIECE
from archipel_agent.cli import bundle
from archipel_agent.host.disk import SystemDisk, temporary_of
from archipel_agent.rehearsal.disk import RehearsedDisk
from archipel_contract.bundle.format import Kind
from archipel_contract.facts import DiskSpace
from archipel_contract.jobs import Job, JobState, Verb
from tests.agent.backup.machine import KEY, Machine, site
from tests.agent.bundles.machine import ARCHITECTURE
from tests.agent.bundles.test_building import WHEN
from tests.agent.sticks.conftest import Maker
from tests.agent.sticks.stick import MEGABYTE, Stick
from tests.fakes.bundles import MAKER, MAKERS_KEY

pytestmark = [pytest.mark.real_process, pytest.mark.own_network]

BUNDLE = "edge.archipel-bundle"
NAME = "archipel-s-1-000001.tar.gz.age"
PLACES = ("etc", "usr", "var/lib/rancher", "var/lib/archipel/bundles")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A site that trusts the maker of the bundles."""
    made = site(tmp_path / "root")
    made.ports.disk.write(made.paths.settings / "bundle-keys/maker.pub", MAKERS_KEY)
    yield made
    made.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """What a maker of bundles has: a key, and image archives of several pieces, with a Mac's remark beside one."""
    made = tmp_path / "shelf"
    (made / "images").mkdir(parents=True)
    (made / "key").write_bytes(MAKER.secret_text())
    (made / "key.pub").write_bytes(MAKERS_KEY)
    for name in ("a.tar", "b.tar"):
        (made / "images" / name).write_bytes(os.urandom(4 * PIECE))
    (made / "images/._a.tar").write_bytes(b"Mac OS X")
    return made


def build(shelf: Path, target: Path) -> int:
    """Make a bundle as a person does."""
    given = ["build", "--images", str(shelf / "images"), "--architecture", ARCHITECTURE]
    return bundle.main([*given, "--key", str(shelf / "key"), "-o", str(target)])


def code(job: Job) -> str:
    """The finding of a job that failed."""
    assert job.state is JobState.FAILED and job.finding is not None, job.sentence
    return job.finding.code


class PulledDisk(RehearsedDisk):
    """A disk whose owner pulls the stick when the agent is in the middle of writing to it, or of reading it."""

    def __init__(self, stick: Stick, *, read: int = 0, written: int = 0) -> None:
        """Pull it when so many pieces were read, or written to it; 0: never."""
        super().__init__()
        self._stick, self._read, self._written = stick, read, written

    def space(self, path: Path) -> DiskSpace:
        """See ports.Disk."""
        real = SystemDisk.space(self, path)
        on_stick = path == self._stick.place and self._stick.is_in
        return real if on_stick else replace(real, device="/dev/mmcblk0p2", filesystem="ext4")

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """See ports.Disk."""
        self._read -= 1
        if self._read == 0:
            self._stick.pull()
        return super().part(path, offset, length)

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """See ports.Disk: onto the stick by pieces, so that there is a middle."""
        if not target.is_relative_to(self._stick.place):
            super().copy(source, target, mode)
            return
        pieces = (
            super(PulledDisk, self).part(source, at, 512) for at in range(0, source.stat().st_size, 512)
        )
        self.pour(target, self._counted(pieces), mode)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            self._written -= 1
            if self._written == 0:
                self._stick.pull()


def test_a_bundle_built_onto_a_stick_is_verified_and_imported_from_it(
    stick: Stick, shelf: Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(shelf, stick.place / BUNDLE) == 0, capsys.readouterr()
    assert bundle.main(["verify", str(stick.place / BUNDLE), "--key", str(shelf / "key.pub")]) == 0
    written = (stick.place / BUNDLE).read_bytes()
    stick.eject()
    stick.check()
    assert stick.kind == "exfat" or stick.at(BUNDLE) == written
    stick.plug()
    done = machine.do(Verb.IMPORT, bundle=str(stick.place))
    assert done.state is JobState.SUCCEEDED, done.sentence
    held = {path.read_bytes() for path in machine.ports.disk.files(machine.paths.state / "bundles/blobs")}
    assert {(shelf / "images" / name).read_bytes() for name in ("a.tar", "b.tar")} <= held
    assert b"Mac OS X" not in held


def test_a_backup_on_a_stick_is_listed_practised_with_and_restored_from_it(
    stick: Stick, machine: Machine, tmp_path: Path
) -> None:
    key = tmp_path / "recovery.key"
    key.write_text(KEY.secret)
    for _ in range(2):
        done = machine.do(Verb.BACKUP, to=str(stick.place))
        assert done.state is JobState.SUCCEEDED, done.sentence
    stick.eject()
    stick.check()
    stick.plug()
    there = DirectoryTarget(stick.place, SystemDisk()).stored()
    assert [one.name[-17:] for one in there] == ["000001.tar.gz.age", "000002.tar.gz.age"]
    practised = machine.do(Verb.DRILL, source=str(stick.place), key_file=str(key))
    assert practised.state is JobState.SUCCEEDED, practised.sentence
    new = Machine(tmp_path / "new")
    try:
        done = new.do(Verb.RESTORE, source=str(stick.place), key_file=str(key))
        assert done.state is JobState.SUCCEEDED, done.sentence
        storage = "var/lib/rancher/k3s/storage"
        assert new.files(storage) == machine.files(storage) != {}
    finally:
        new.close()


def test_nothing_but_what_is_sealed_reaches_the_stick_with_a_backup(stick: Stick, machine: Machine) -> None:
    token = machine.store.value("token")
    assert token
    assert machine.do(Verb.BACKUP, to=str(stick.place)).state is JobState.SUCCEEDED
    stick.eject()
    raw = stick.image.read_bytes()
    assert b"age-encryption.org" in raw
    assert [one for one in (token.encode(), b"the authority", b"never in a backup") if one in raw] == []


def test_a_stick_pulled_while_a_backup_is_written_leaves_the_site_as_it_was_and_the_next_one_clean(
    stick: Stick, machine: Machine
) -> None:
    before, ports = machine.files(*PLACES), machine.ports
    machine.ports = replace(ports, disk=PulledDisk(stick, written=3))
    job = machine.do(Verb.BACKUP, to=str(stick.place))
    assert code(job) == "backup-target-away", job.sentence
    machine.ports = replace(ports, disk=PulledDisk(stick))
    assert machine.files(*PLACES) == before
    assert machine.ports.disk.names(machine.paths.state / "backup") == ()
    stick.eject()
    stick.check(repairs=True)
    stick.plug()
    assert not [one for one in os.listdir(stick.place) if one.startswith("archipel-")]
    done = machine.do(Verb.BACKUP, to=str(stick.place))
    assert done.state is JobState.SUCCEEDED, done.sentence
    assert [one.name for one in DirectoryTarget(stick.place, SystemDisk()).stored()] == [
        name for name in os.listdir(stick.place) if name.startswith("archipel-")
    ]
    assert not [one for one in os.listdir(stick.place) if one.startswith(".archipel-")]


def test_where_the_stick_is_out_its_mount_point_is_not_taken_for_it(stick: Stick, machine: Machine) -> None:
    machine.ports = replace(machine.ports, disk=PulledDisk(stick))
    assert machine.do(Verb.BACKUP, to=str(stick.place)).state is JobState.SUCCEEDED
    stick.eject()
    job = machine.do(Verb.BACKUP, to=str(stick.place))
    assert code(job) == "backup-target-away"
    assert job.changed_nothing
    assert os.listdir(stick.place) == []
    stick.plug()
    assert machine.do(Verb.BACKUP, to=str(stick.place)).state is JobState.SUCCEEDED


def test_a_stick_that_went_while_the_backup_was_made_ready_does_not_end_on_the_own_disk(
    stick: Stick, machine: Machine
) -> None:
    class Going(PulledDisk):
        """It goes once the sealed file is there."""

        def remove(self, path: Path) -> None:
            if any(name.endswith(".age") for name in self.names(path.parent)):
                stick.eject()
            super().remove(path)

    machine.ports = replace(machine.ports, disk=Going(stick))
    job = machine.do(Verb.BACKUP, to=str(stick.place))
    assert code(job) == "backup-target-away"
    assert os.listdir(stick.place) == []


def test_a_stick_pulled_while_a_bundle_is_read_is_named_and_the_import_goes_on_later(
    stick: Stick, shelf: Path, machine: Machine
) -> None:
    assert build(shelf, stick.place / BUNDLE) == 0
    before, whole = machine.files("etc", "usr", "var/lib/rancher"), machine.ports
    machine.ports = replace(whole, disk=PulledDisk(stick, read=22))
    job = machine.do(Verb.IMPORT, bundle=str(stick.place / BUNDLE))
    assert code(job) == "bundle-unreadable"
    assert job.changed_nothing
    machine.ports = whole
    assert machine.files("etc", "usr", "var/lib/rancher") == before
    assert machine.ports.disk.names(machine.paths.state / "bundles/held") == ()
    stick.eject()
    stick.plug()
    done = machine.do(Verb.IMPORT, bundle=str(stick.place / BUNDLE))
    assert done.state is JobState.SUCCEEDED, done.sentence


def test_a_stick_pulled_while_a_bundle_is_built_leaves_no_bundle(stick: Stick, shelf: Path) -> None:
    images = building.gathered(SystemDisk(), shelf / "images", Kind.IMAGES)
    recipe = building.Recipe(architecture=ARCHITECTURE, created=WHEN, sequence=1, ingredients=images)
    with pytest.raises(OSError):
        building.build(PulledDisk(stick, read=5), stick.place / BUNDLE, recipe, MAKER)
    stick.eject()
    stick.check(repairs=True)
    stick.plug()
    assert not (stick.place / BUNDLE).exists()
    assert build(shelf, stick.place / BUNDLE) == 0
    assert not temporary_of(stick.place / BUNDLE).exists()


def test_a_full_stick_keeps_what_it_had_and_nothing_half(stick: Stick, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    sealed.write_bytes(bytes(100))
    target = DirectoryTarget(stick.place, SystemDisk())
    target.put(sealed, NAME)
    with sealed.open("wb") as file:
        file.truncate(60 * MEGABYTE)
    with pytest.raises(TargetFailed) as failed:
        target.put(sealed, NAME.replace("1", "2"))
    # The driver of FAT in user space tells neither its room nor that it is full; the kernel's does both, as exFAT's here.
    assert failed.value.code == ("backup-target-full" if stick.kind == "exfat" else "backup-target-away")
    assert [(one.name, one.size) for one in target.stored()] == [(NAME, 100)]
    assert os.listdir(stick.place) == [NAME]
    stick.eject()
    stick.check()


def test_a_read_only_stick_gives_what_it_holds_and_says_why_it_takes_nothing(
    stick: Stick, shelf: Path, machine: Machine
) -> None:
    assert build(shelf, stick.place / BUNDLE) == 0
    stick.eject()
    stick.plug(read_only=True)
    assert machine.do(Verb.IMPORT, bundle=str(stick.place)).state is JobState.SUCCEEDED
    assert code(machine.do(Verb.BACKUP, to=str(stick.place))) == "backup-target-away"
    assert os.listdir(stick.place) == [BUNDLE]


def test_a_stick_whose_dirty_mark_was_never_cleared_is_used_all_the_same(
    make: Maker, tmp_path: Path, kind: str, machine: Machine
) -> None:
    stick = make(tmp_path / "usb")
    with stick.image.open(
        "r+b"
    ) as image:  # the mark that Windows and Linux set while it is mounted for writing
        at = {"fat16": 0x25, "fat32": 0x41, "exfat": 0x6A}[kind]
        image.seek(at)
        flags = image.read(1)[0]
        image.seek(at)
        image.write(bytes([flags | (0x02 if kind == "exfat" else 0x01)]))
    stick.plug()
    done = machine.do(Verb.BACKUP, to=str(stick.place))
    assert done.state is JobState.SUCCEEDED, done.sentence


def test_a_support_bundle_for_a_stick_that_is_not_in_is_refused_and_no_place_is_made_for_it(
    tmp_path: Path, machine: Machine
) -> None:
    done = machine.do(Verb.SUPPORT, directory=str(tmp_path / "not-in"))
    assert done.state is JobState.FAILED and done.changed_nothing, done.sentence
    assert done.finding is not None and done.finding.code == "support-place-missing"
    assert not (tmp_path / "not-in").exists()


def test_every_name_we_lay_onto_a_stick_may_stand_on_fat(stick: Stick, machine: Machine) -> None:
    done = machine.do(Verb.SUPPORT, directory=str(stick.place))
    assert done.state is JobState.SUCCEEDED, done.sentence
    assert machine.do(Verb.BACKUP, to=str(stick.place)).state is JobState.SUCCEEDED
    assert len(os.listdir(stick.place)) == 2
    made = subprocess.run(["ls", stick.place], capture_output=True, text=True, check=True).stdout
    assert not set(made) & set('"*/:<>?\\|')
