"""What FAT32 cannot hold is refused before anybody waits for it: no file of 4 GiB, and no more than there is room for."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.backup.directory import DirectoryTarget
from archipel_agent.backup.s3 import S3Target, Store
from archipel_agent.backup.targets import Bucket, TargetFailed
from archipel_agent.bundles import building
from archipel_agent.bundles.building import Recipe
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.run import SystemRunner
from archipel_agent.rehearsal.disk import RehearsedDisk
from archipel_contract.bundle.format import BundleRefused, Kind
from archipel_contract.facts import FAT_LARGEST, DiskSpace
from archipel_contract.jobs import JobState, Verb
from tests.agent.backup.machine import Machine, site
from tests.agent.bundles.machine import ARCHITECTURE
from tests.agent.bundles.test_building import WHEN
from tests.fakes.bundles import MAKER

GIGABYTE = 1 << 30
NAME = "archipel-s-1-000001.tar.gz.age"


class LargeDisk(SystemDisk):
    """A disk on which every image is huge, and that says of a stick what it is told to; nothing huge is ever read."""

    def __init__(self, filesystem: str, each: int, free: int = 60 * GIGABYTE) -> None:
        self.filesystem, self.each, self.free = filesystem, each, free

    def size(self, path: Path) -> int:
        """See ports.Disk."""
        return self.each

    def sha256(self, path: Path) -> str:
        """See ports.Disk."""
        return path.name.encode().hex().ljust(64, "0")[:64]

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """See ports.Disk."""
        raise OSError("somebody has begun to write")

    def space(self, path: Path) -> DiskSpace:
        """See ports.Disk."""
        return DiskSpace(
            path=str(path), filesystem=self.filesystem, size_bytes=self.free * 2, free_bytes=self.free
        )


def building_on(disk: LargeDisk, place: Path) -> None:
    """Build a bundle of two images on this stick."""
    for name in ("a.tar", "b.tar"):
        (place / name).touch()
    images = building.gathered(disk, place, Kind.IMAGES)
    recipe = Recipe(architecture=ARCHITECTURE, created=WHEN, sequence=1, ingredients=images)
    building.build(disk, place / "edge.archipel-bundle", recipe, MAKER)


@pytest.mark.parametrize("filesystem", ["vfat", "msdos", "fuse.fusefat"])
def test_a_bundle_of_four_gigabytes_is_refused_on_fat_before_a_byte_is_read_or_written(
    tmp_path: Path, filesystem: str
) -> None:
    with pytest.raises(BundleRefused) as refused:
        building_on(LargeDisk(filesystem, 2 * GIGABYTE), tmp_path)
    assert refused.value.code == "bundle-file-too-large"
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "b.tar"]


@pytest.mark.parametrize(
    ("filesystem", "each"), [("vfat", GIGABYTE), ("exfat", 3 * GIGABYTE), ("ext4", 3 * GIGABYTE)]
)
def test_what_fits_is_begun(tmp_path: Path, filesystem: str, each: int) -> None:
    with pytest.raises(OSError, match="begun to write"):
        building_on(LargeDisk(filesystem, each), tmp_path)


def test_a_bundle_without_room_is_refused_before_it_is_begun(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused) as refused:
        building_on(LargeDisk("exfat", GIGABYTE, free=2 * GIGABYTE), tmp_path)
    assert (refused.value.code, refused.value.params["free"]) == ("bundle-place-full", "2148 MB")


@pytest.mark.parametrize(
    ("filesystem", "size", "code"),
    [
        ("vfat", FAT_LARGEST, ""),
        ("vfat", FAT_LARGEST + 1, "backup-file-too-large"),
        ("exfat", FAT_LARGEST + 1, ""),
        ("exfat", 61 * GIGABYTE, "backup-target-full"),
    ],
)
def test_a_backup_is_refused_where_it_cannot_lie(
    tmp_path: Path, filesystem: str, size: int, code: str
) -> None:
    sealed = tmp_path / "sealed"
    with sealed.open("wb") as file:
        file.truncate(size)
    (tmp_path / "stick").mkdir()
    target = DirectoryTarget(tmp_path / "stick", LargeDisk(filesystem, 0))
    if not code:
        target.require(size)
        return
    with pytest.raises(TargetFailed) as failed:
        target.put(sealed, NAME)
    assert failed.value.code == code
    assert os.listdir(tmp_path / "stick") == []


def test_a_store_of_objects_takes_five_gigabytes_in_one(tmp_path: Path) -> None:
    store = Store(endpoint="https://s3.example", region="eu", access_key="a", secret_key="b")
    target = S3Target(Bucket(name="edge", prefix=""), store, SystemRunner(), tmp_path)
    target.require(5 * GIGABYTE)
    with pytest.raises(TargetFailed) as failed:
        target.require(5 * GIGABYTE + 1)
    assert failed.value.code == "backup-file-too-large"


class SmallStick(RehearsedDisk):
    """A disk that says of a stick that it is FAT32 with this much room."""

    def __init__(self, stick: Path, free: int) -> None:
        super().__init__()
        self._stick, self._free = stick, free

    def space(self, path: Path) -> DiskSpace:
        """See ports.Disk."""
        if path != self._stick:
            return super().space(path)
        return DiskSpace(path=str(path), filesystem="vfat", size_bytes=GIGABYTE, free_bytes=self._free)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A site with a volume that cannot be made smaller."""
    made = site(tmp_path / "root")
    made.ports.disk.write(made.paths.k3s_data / "storage/pvc-1/film", os.urandom(24 << 20))
    yield made
    made.close()


def test_making_a_backup_ends_as_soon_as_it_is_more_than_its_place_takes(
    machine: Machine, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    machine.ports = replace(machine.ports, disk=SmallStick(stick, 4 << 20))
    job = machine.do(Verb.BACKUP, to=str(stick))
    assert job.state is JobState.FAILED and job.finding is not None
    assert job.finding.code == "backup-target-full"
    assert [one.slug for one in job.steps if one.state.value == "failed"] == ["backup-seal"]
    assert os.listdir(stick) == []
    assert machine.ports.disk.names(machine.paths.state / "backup") == ()
