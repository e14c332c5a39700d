"""What machines are emulated with: what is missing is named by its package, and sticks are real ones."""

import shutil
from pathlib import Path

import pytest

from tests.emulated import requirements
from tests.emulated.stick import PROGRAMS, Stick

pytestmark = pytest.mark.real_process


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if requirements.missing() is not None and "apt-get" not in str(requirements.missing()):
        pytest.skip(str(requirements.missing()))
    monkeypatch.setenv("PATH", str(tmp_path))
    said = str(requirements.missing())
    assert "apt-get install" in said and "qemu-system-x86" in said.split() and "qemu-utils" in said.split()


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    absent = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if absent:
        pytest.skip(f"a stick needs: apt-get install {' '.join(sorted(set(absent)))}")
    return Stick(tmp_path / "stick.img", megabytes=64)


def test_a_stick_keeps_files_and_is_whole_though_it_was_not_unmounted(stick: Stick, tmp_path: Path) -> None:
    (tmp_path / "archipel.toml").write_text("format = 1\n")
    stick.put(tmp_path / "archipel.toml")
    with open(stick.image, "r+b") as file:
        file.seek((1 << 20) + 65)
        file.write(b"\1")  # as Linux marks it while it is mounted
    assert (stick.read("archipel.toml"), stick.read("other"), stick.check()) == ("format = 1\n", "", "")


def test_room_on_a_stick_that_no_file_has_is_no_fault(stick: Stick) -> None:
    for table in tables(stick):
        with open(stick.image, "r+b") as file:
            file.seek(table + 5000 * 4)
            file.write(b"\xff\xff\xff\x0f")  # in use, and the last of its file
    assert stick.check() == ""


def test_a_stick_whose_table_was_torn_is_not_whole(stick: Stick, tmp_path: Path) -> None:
    (tmp_path / "archipel.toml").write_text("format = 1\n" * 1000)
    stick.put(tmp_path / "archipel.toml")
    for table in tables(stick):
        with open(stick.image, "r+b") as file:
            file.seek(table + 8)
            file.write(bytes(504))
    assert stick.check() != ""


def tables(stick: Stick) -> tuple[int, int]:
    """Where the two tables of the FAT lie in the image (BIOS parameter block: reserved sectors, sectors of a table)."""
    start = stick.image.read_bytes()[1 << 20 :][:64]
    reserved, length = int.from_bytes(start[14:16], "little"), int.from_bytes(start[36:40], "little")
    first = (1 << 20) + reserved * 512
    return first, first + length * 512
