"""The device behind a path is found through everything that may lie between."""

from pathlib import Path

import pytest

from archipel_agent.flash.device import devices_of, identity_of, kind_of, size_bytes, written_bytes
from tests.agent.flash.planted import EMMC, ENCRYPTED, PATHS, PI, mount, partition, planted

DATA = PATHS.k3s_data


def test_a_card_is_found_behind_its_partition() -> None:
    disk = planted(PI)
    assert devices_of(disk, PATHS, DATA) == ("mmcblk0",)
    assert written_bytes(disk, PATHS, "mmcblk0") == 8_000_000 * 512
    assert size_bytes(disk, PATHS, "mmcblk0") == 62333952 * 512
    assert kind_of(disk, PATHS, "mmcblk0") == "sd"
    assert identity_of(disk, PATHS, "mmcblk0") == "mmcblk0:035344534333324785a1b2c3d4017800"


def test_an_nvme_is_found_behind_volume_encryption_and_partition() -> None:
    assert devices_of(planted(ENCRYPTED), PATHS, DATA) == ("nvme0n1",)


def test_a_mirror_has_both_its_disks() -> None:
    files = {
        "proc/self/mountinfo": mount("9:0", "/", "/dev/md0"),
        "sys/dev/block/9:0/uevent": "DEVNAME=md0\n",
        "sys/class/block/md0/slaves/sda1": "",
        "sys/class/block/md0/slaves/sdb1": "",
        **partition("sda", "sda1", "8:1"),
        **partition("sdb", "sdb1", "8:17"),
    }
    assert devices_of(planted(files), PATHS, DATA) == ("sda", "sdb")


def test_a_btrfs_whose_number_is_no_devices_is_found_by_its_source() -> None:
    files = {**PI, "proc/self/mountinfo": mount("0:31", "/", "/dev/mmcblk0p2", "btrfs"),
             "sys/class/block/mmcblk0p2/partition": "2\n"}  # fmt: skip
    assert devices_of(planted(files), PATHS, DATA) == ("mmcblk0",)


def test_a_volume_known_only_by_its_mapped_name_is_found() -> None:
    files = {**ENCRYPTED, "proc/self/mountinfo": mount("0:31", "/", "/dev/mapper/vg-k3s", "btrfs")}
    assert devices_of(planted(files), PATHS, DATA) == ("nvme0n1",)


def test_a_file_mounted_by_a_loop_leads_to_the_device_that_holds_the_file() -> None:
    files = {
        **PI,
        "proc/self/mountinfo": PI["proc/self/mountinfo"] + mount("7:0", "/var/lib/rancher", "/dev/loop0"),
        "sys/dev/block/7:0/uevent": "DEVNAME=loop0\n",
        "sys/class/block/loop0/loop/backing_file": "/srv/k3s.img\n",
        "sys/block/loop0/stat": "",
    }
    assert devices_of(planted(files), PATHS, DATA) == ("mmcblk0",)


def test_a_loop_that_bites_its_tail_ends() -> None:
    files = {
        "proc/self/mountinfo": mount("7:0", "/", "/dev/loop0"),
        "sys/dev/block/7:0/uevent": "DEVNAME=loop0\n",
        "sys/class/block/loop0/loop/backing_file": "/srv/k3s.img\n",
    }
    assert devices_of(planted(files), PATHS, DATA) == ()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/mountinfo": mount("0:5", "/", "tmpfs", "tmpfs")},
        {"proc/self/mountinfo": "not what the kernel writes\n1 2 3\n"},
    ],
    ids=["nothing", "memory", "nonsense"],
)
def test_what_lies_on_no_device_has_none(files: dict[str, str]) -> None:
    assert devices_of(planted(files), PATHS, DATA) == ()


def test_of_two_mounts_at_one_place_the_later_one_counts() -> None:
    files = {
        **ENCRYPTED,
        **PI,
        "proc/self/mountinfo": ENCRYPTED["proc/self/mountinfo"] + mount("179:2", "/", "x"),
    }
    assert devices_of(planted(files), PATHS, Path("/srv")) == ("mmcblk0",)
    assert devices_of(planted(files), PATHS, DATA) == ("nvme0n1",)


def test_a_counter_that_cannot_be_read_is_unknown_and_not_nothing() -> None:
    assert written_bytes(planted({"sys/block/mmcblk0/stat": "1 2 3\n"}), PATHS, "mmcblk0") is None
    assert kind_of(planted(EMMC), PATHS, "mmcblk0") == "emmc"
