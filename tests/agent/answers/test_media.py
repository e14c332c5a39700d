"""Where the boot partition should be is read from what the machine itself says, and looking costs next to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from archipel_agent.answers.places import candidates
from archipel_agent.host.media import SystemMedia, missing
from archipel_agent.paths import Paths
from archipel_agent.ports import MissingBoot, Mount
from archipel_agent.settings import Settings

FSTAB = ("# comment", "", "PARTUUID=1-1 /boot/firmware vfat defaults 0 2", "PARTUUID=1-2 / ext4 defaults 0 1")
ROOT = Mount(point=Path("/"), filesystem="ext4")
BOOT = Mount(point=Path("/boot/firmware"), filesystem="vfat")
PI = "Raspberry Pi 4 Model B Rev 1.5"


@pytest.mark.parametrize(
    ("mounts", "fstab", "model", "place"),
    [
        ((ROOT,), FSTAB, "", "/boot/firmware"),
        ((ROOT, BOOT), FSTAB, PI, None),
        ((ROOT,), (), PI, "/boot/firmware"),
        ((ROOT, Mount(point=Path("/boot"), filesystem="vfat")), (), PI, None),
        ((ROOT,), (), "", None),
        ((ROOT,), ("LABEL=x /boot/efi vfat noauto,umask=77 0 0",), "", None),
        ((ROOT,), ("LABEL=x /srv/data ext4 defaults 0 0", "short line"), "", None),
    ],
)
def test_a_boot_partition_is_missing_where_the_machine_says_there_is_one(
    mounts: tuple[Mount, ...], fstab: tuple[str, ...], model: str, place: str | None
) -> None:
    found = missing(Paths(), mounts, fstab, model)
    assert (str(found.place) if found else None) == place
    assert found is None or found.says in ("/etc/fstab", PI)
    assert isinstance(found, MissingBoot | None)


def places(settings: Settings, *mounts: Mount) -> list[str]:
    """Where an answer file would count."""
    return [str(path.parent) for path in candidates(Paths(), settings, mounts)]


def test_places_stand_in_their_order_and_only_media_count_among_mounts() -> None:
    stick = Mount(point=Path("/mnt/x"), filesystem="vfat", is_removable=True)
    mounted = Mount(point=Path("/run/media/anna/STICK"), filesystem="exfat")
    deep = Mount(point=Path("/media/a/b/c"), filesystem="ext4")
    shown = places(Settings(answers_places="/srv/answers, /opt/x"), ROOT, stick, mounted, deep)
    assert shown == [
        "/boot/firmware",
        "/boot",
        "/boot/efi",
        "/etc/archipel",
        "/mnt/x",
        "/run/media/anna/STICK",
        "/srv/answers",
        "/opt/x",
    ]


def test_media_can_be_left_out_and_so_can_everything() -> None:
    stick = Mount(point=Path("/media/stick"), filesystem="vfat", is_removable=True)
    assert "/media/stick" not in places(Settings(answers="boot"), stick)
    assert places(Settings(answers="off"), stick) == []


def test_what_is_only_mounted_when_somebody_looks_is_not_looked_at() -> None:
    asleep = Mount(point=Path("/boot/efi"), filesystem="autofs")
    assert "/boot/efi" not in places(Settings(), asleep)
    assert "/boot/efi" in places(Settings(), asleep, Mount(point=Path("/boot/efi"), filesystem="vfat"))


def test_the_real_table_of_mounts_is_read_once_and_then_only_asked_about() -> None:
    media = SystemMedia(Paths())
    try:
        first = media.mounts()
        assert any(one.point == Path("/") for one in first)
        assert media.mounts() is first
        assert media.mark(Path("/etc/hostname")) is not None
        assert media.mark(Path("/nowhere/archipel.toml")) is None
    finally:
        media.close()


def test_a_rehearsed_machine_does_not_see_the_real_ones_media(tmp_path: Path) -> None:
    media = SystemMedia(Paths(tmp_path))
    assert (media.mounts(), media.missing_boot()) == ((), None)
    media.close()


LOADED = """
import sys
from pathlib import Path
from archipel_agent import daemon
from archipel_agent.answering import answers_of
from archipel_agent.compose import open_core
from archipel_agent.host.media import SystemMedia
from archipel_agent.paths import Paths
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import Settings
paths = Paths(Path(sys.argv[1]))
core, _ = open_core(paths, rehearse(paths, Scenario()).ports, Settings())
one = answers_of(core, Settings(), SystemMedia(paths), lambda: None)
one.look(); one.look()
assert core.answers().state == "none"
print(*sorted(name for name in sys.modules if name.startswith("archipel_agent.answers.")))
"""


@pytest.mark.real_process
def test_a_machine_without_answers_never_loads_what_reads_them(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["archipel_agent.answers.places", "archipel_agent.answers.record"]
