"""The real disk and the treacherous one behave alike, so that what is proven on the fake holds on the machine."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.privileged import verbs_for
from archipel_agent.host.run import SystemRunner
from archipel_agent.host.sandboxed_disk import SandboxedDisk
from archipel_agent.paths import Paths
from archipel_agent.ports import Disk
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from tests.fakes.disk import TreacherousDisk


@pytest.fixture(params=[SystemDisk, TreacherousDisk, MemoryDisk])
def disk(request: pytest.FixtureRequest) -> Disk:
    """One of the three: the third is the disk of rehearsed fleets."""
    made: Callable[[], Disk] = request.param
    return made()


@pytest.fixture
def place(disk: Disk, tmp_path: Path) -> Path:
    """A directory that is there on either disk."""
    disk.make_directory(tmp_path)
    return tmp_path


def test_what_is_written_is_read_with_its_mode(disk: Disk, place: Path) -> None:
    disk.write(place / "a/b/file", b"text", 0o600)
    assert (disk.read(place / "a/b/file"), disk.mode(place / "a/b/file")) == (b"text", 0o600)


def test_missing_parents_are_made_for_everybody_to_enter(disk: Disk, place: Path) -> None:
    disk.write(place / "a/b/file", b"", 0o600)
    assert disk.mode(place / "a") == disk.mode(place / "a/b") == 0o755


def test_writing_again_replaces_content_and_mode(disk: Disk, place: Path) -> None:
    disk.write(place / "file", b"a long first text", 0o644)
    disk.write(place / "file", b"short", 0o755)
    assert (disk.read(place / "file"), disk.mode(place / "file")) == (b"short", 0o755)


def test_the_mode_does_not_depend_on_the_umask(disk: Disk, place: Path) -> None:
    before = os.umask(0o077)
    try:
        disk.write(place / "new/file", b"", 0o644)
    finally:
        os.umask(before)
    assert (disk.mode(place / "new"), disk.mode(place / "new/file")) == (0o755, 0o644)


def test_what_is_moved_has_the_other_name_with_all_it_holds(disk: Disk, place: Path) -> None:
    disk.write(place / "a/b/file", b"1", 0o600)
    disk.move(place / "a", place / "kept")
    assert (disk.names(place), disk.read(place / "kept/b/file")) == (("kept",), b"1")
    assert disk.mode(place / "kept/b/file") == 0o600


def test_a_move_replaces_nothing(disk: Disk, place: Path) -> None:
    disk.write(place / "one", b"1")
    disk.write(place / "two", b"2")
    with pytest.raises(FileExistsError):
        disk.move(place / "one", place / "two")
    with pytest.raises(FileNotFoundError):
        disk.move(place / "none", place / "three")
    assert (disk.read(place / "one"), disk.read(place / "two")) == (b"1", b"2")


def test_nothing_but_the_file_is_left_beside_it(disk: Disk, place: Path) -> None:
    disk.write(place / "file", b"1")
    disk.copy(place / "file", place / "copy", 0o600)
    disk.link(place / "file", place / "link")
    assert disk.names(place) == ("copy", "file", "link")


def test_reading_what_is_not_there_says_so(disk: Disk, place: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        disk.read(place / "absent")
    assert raised.value.filename == str(place / "absent") or raised.value.filename == place / "absent"
    assert disk.mode(place / "absent") is None
    assert disk.names(place / "absent") == ()


def test_a_directory_is_neither_read_nor_written_nor_removed_as_a_file(disk: Disk, place: Path) -> None:
    disk.make_directory(place / "directory")
    with pytest.raises(IsADirectoryError):
        disk.read(place / "directory")
    with pytest.raises(IsADirectoryError):
        disk.write(place / "directory", b"")
    with pytest.raises((IsADirectoryError, PermissionError)):  # unlink(2): EISDIR on Linux, EPERM by POSIX
        disk.remove(place / "directory")
    assert disk.names(place) == ("directory",)


def test_a_copy_has_the_content_and_the_mode_asked_for(disk: Disk, place: Path) -> None:
    disk.write(place / "source", bytes(range(256)) * 9000, 0o600)
    disk.copy(place / "source", place / "new/target", 0o755)
    assert disk.read(place / "new/target") == disk.read(place / "source")
    assert disk.mode(place / "new/target") == 0o755


def test_copying_what_is_not_there_leaves_the_target_alone(disk: Disk, place: Path) -> None:
    disk.write(place / "target", b"old")
    with pytest.raises(FileNotFoundError):
        disk.copy(place / "absent", place / "target", 0o644)
    assert (disk.read(place / "target"), disk.names(place)) == (b"old", ("target",))


def test_what_is_shared_outlives_either_of_its_names(disk: Disk, place: Path) -> None:
    disk.write(place / "kept/blob", b"archive", 0o600)
    disk.write(place / "images/one.tar", b"older", 0o600)
    files = {place / "images/one.tar": place / "kept/blob", place / "new/two.tar": place / "kept/blob"}
    for _ in range(2):  # as after a cut
        disk.share(files, 0o600)
    assert all(disk.is_same(path, kept) for path, kept in files.items())
    assert [disk.read(path) for path in files] == [b"archive", b"archive"]
    assert (disk.names(place / "images"), disk.names(place / "new")) == (("one.tar",), ("two.tar",))
    disk.remove(place / "kept/blob")
    disk.write(place / "new/two.tar", b"newer", 0o600)
    assert (disk.read(place / "images/one.tar"), disk.read(place / "new/two.tar")) == (b"archive", b"newer")
    assert not disk.is_same(place / "images/one.tar", place / "new/two.tar")


def test_what_cannot_be_one_file_is_copied(disk: Disk, place: Path) -> None:
    disk.write(place / "blob", b"program", 0o600)
    disk.share({place / "program": place / "blob"}, 0o755)
    assert (disk.mode(place / "program"), disk.mode(place / "blob")) == (0o755, 0o600)
    assert not disk.is_same(place / "program", place / "blob")
    disk.remove(place / "blob")
    assert disk.read(place / "program") == b"program"


def test_one_that_cannot_be_shared_takes_nothing_from_the_others(disk: Disk, place: Path) -> None:
    disk.write(place / "blob", b"archive", 0o600)
    disk.write(place / "two.tar", b"stays", 0o644)
    with pytest.raises(FileNotFoundError):
        disk.share({place / "one.tar": place / "blob", place / "two.tar": place / "absent"}, 0o600)
    assert disk.is_same(place / "one.tar", place / "blob")
    assert disk.read(place / "two.tar") == b"stays"
    assert disk.names(place) == ("blob", "one.tar", "two.tar")


def test_what_is_not_there_is_the_same_as_nothing(disk: Disk, place: Path) -> None:
    disk.write(place / "one", b"same content")
    disk.copy(place / "one", place / "two", 0o644)
    disk.link(place / "one", place / "link")
    assert disk.is_same(place / "one", place / "link")
    for other in ("two", "absent"):
        assert not disk.is_same(place / "one", place / other)
        assert not disk.is_same(place / other, place / "one")
    assert not disk.is_same(place / "absent", place / "absent")


def test_one_file_with_two_names_takes_its_room_once(tmp_path: Path) -> None:
    disk = SystemDisk()
    disk.write(tmp_path / "blob", b"archive", 0o600)
    disk.share({tmp_path / "one.tar": tmp_path / "blob"}, 0o600)
    assert (tmp_path / "blob").stat().st_ino == (tmp_path / "one.tar").stat().st_ino


def test_between_two_file_systems_there_are_no_second_names_and_all_are_copied(tmp_path: Path) -> None:
    disk, file = SystemDisk(), Path("/proc/version")
    disk.share({tmp_path / "one": file, tmp_path / "two": file}, 0o444)
    assert not disk.is_same(tmp_path / "one", file)
    assert disk.read(tmp_path / "one") == disk.read(tmp_path / "two") == disk.read(file) != b""
    assert disk.names(tmp_path) == ("one", "two")


def test_what_is_poured_stands_there_as_a_whole_with_its_mode(disk: Disk, place: Path) -> None:
    disk.pour(place / "new/file", iter([b"one ", b"", b"two"]), 0o600)
    assert (disk.read(place / "new/file"), disk.mode(place / "new/file")) == (b"one two", 0o600)
    assert disk.size(place / "new/file") == 7
    assert disk.names(place / "new") == ("file",)


def test_pouring_that_breaks_off_leaves_what_was_there(disk: Disk, place: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError("the stick was pulled")

    disk.write(place / "file", b"old")
    with pytest.raises(OSError, match="pulled"):
        disk.pour(place / "file", broken(), 0o644)
    assert (disk.read(place / "file"), disk.names(place)) == (b"old", ("file",))


def test_a_part_of_a_file_ends_where_the_file_does(disk: Disk, place: Path) -> None:
    disk.write(place / "file", b"0123456789")
    assert disk.part(place / "file", 3, 4) == b"3456"
    assert disk.part(place / "file", 8, 100) == b"89"
    assert disk.part(place / "file", 50, 1) == b""
    for ask in (lambda: disk.size(place / "absent"), lambda: disk.part(place / "absent", 0, 1)):
        with pytest.raises(FileNotFoundError):
            ask()


def test_a_link_is_followed_when_read_and_replaced_by_another(disk: Disk, place: Path) -> None:
    disk.write(place / "one", b"1")
    disk.write(place / "two", b"2")
    disk.link(place / "one", place / "link")
    disk.link(place / "two", place / "link")
    assert disk.read(place / "link") == b"2"


def test_a_dangling_link_exists_and_cannot_be_read(disk: Disk, place: Path) -> None:
    disk.link(place / "absent", place / "link")
    assert disk.exists(place / "link")
    with pytest.raises(FileNotFoundError):
        disk.read(place / "link")


def test_removing_a_link_keeps_its_target(disk: Disk, place: Path) -> None:
    disk.write(place / "file", b"1")
    disk.link(place / "file", place / "link")
    disk.remove(place / "link")
    assert disk.names(place) == ("file",)


def test_erasing_takes_a_file_away_and_of_a_link_only_the_link(disk: Disk, place: Path) -> None:
    disk.write(place / "key", b"secret", 0o600)
    disk.erase(place / "key")
    disk.erase(place / "key")
    assert not disk.exists(place / "key")
    disk.write(place / "target", b"stays")
    disk.link(place / "target", place / "link")
    disk.erase(place / "link")
    assert disk.read(place / "target") == b"stays"


def test_a_real_disk_overwrites_what_it_erases(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret" * 1000)
    other = tmp_path / "other name"
    other.hardlink_to(tmp_path / "key")  # what was written can still be seen by it
    SystemDisk().erase(tmp_path / "key")
    assert other.read_bytes() == bytes(6000)


def test_a_real_disk_overwrites_what_it_replaces_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "answers").write_bytes(b"secret" * 1000)
    with (tmp_path / "answers").open("rb") as before:  # what was written can still be seen by it
        SystemDisk().write(tmp_path / "answers", b"blank", 0o640, wipes=True)
        assert before.read() == bytes(6000)
    assert ((tmp_path / "answers").read_bytes(), SystemDisk().mode(tmp_path / "answers")) == (b"blank", 0o640)


class Unit:
    """Does privileged things as a transient unit would, and remembers which."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call(self, verb: str, **parameters: str) -> None:
        """See ports.Privileged."""
        self.asked.append(verb)
        verbs_for(SystemDisk(), SystemRunner())[verb](parameters)


@pytest.mark.parametrize(("wipes", "verb"), [(True, "write-over"), (False, "write")])
def test_a_confined_agent_has_a_unit_overwrite_what_it_may_not_write_itself(
    tmp_path: Path, wipes: bool, verb: str
) -> None:
    unit, stick = Unit(), tmp_path / "media/usb"
    stick.mkdir(parents=True)
    (stick / "answers").write_bytes(b"secret")
    with (stick / "answers").open("rb") as before:
        SandboxedDisk(unit, Paths(tmp_path)).write(stick / "answers", b"blank", 0o640, wipes)
        assert before.read() == (bytes(6) if wipes else b"secret")
    assert ((stick / "answers").read_bytes(), unit.asked) == (b"blank", [verb])


def test_a_confined_agent_has_one_unit_give_all_second_names(tmp_path: Path) -> None:
    unit, paths = Unit(), Paths(tmp_path)
    disk = SandboxedDisk(unit, paths)
    disk.share({}, 0o600)
    assert unit.asked == []
    disk.write(paths.state / "blob", b"archive", 0o600)
    names = [paths.k3s_images / f"{number}.tar" for number in range(5)]
    disk.share(dict.fromkeys(names, paths.state / "blob"), 0o600)
    assert unit.asked == ["share"]
    assert all(disk.is_same(name, paths.state / "blob") for name in names)


def test_wiping_what_was_never_there_only_writes(disk: Disk, place: Path) -> None:
    disk.write(place / "answers", b"blank", 0o640, wipes=True)
    assert disk.read(place / "answers") == b"blank"


def test_removing_a_tree_behind_a_link_removes_only_the_link(disk: Disk, place: Path) -> None:
    disk.write(place / "tree/file", b"1")
    disk.link(place / "tree", place / "link")
    disk.remove_tree(place / "link")
    assert disk.read(place / "tree/file") == b"1"
    assert not disk.exists(place / "link")


def test_removing_what_is_not_there_is_no_error(disk: Disk, place: Path) -> None:
    disk.remove(place / "absent")
    disk.remove_tree(place / "absent")
    assert disk.names(place) == ()


def test_a_tree_goes_with_all_it_holds(disk: Disk, place: Path) -> None:
    disk.write(place / "tree/a/b/file", b"1")
    disk.link(place / "elsewhere", place / "tree/link")
    disk.remove_tree(place / "tree")
    assert disk.names(place) == ()


def test_a_directory_gets_its_mode_even_if_it_is_there(disk: Disk, place: Path) -> None:
    disk.make_directory(place / "a/b", 0o700)
    assert (disk.mode(place / "a"), disk.mode(place / "a/b")) == (0o755, 0o700)
    disk.make_directory(place / "a/b", 0o750)
    assert disk.mode(place / "a/b") == 0o750


def test_a_file_in_the_way_of_a_directory_is_an_error(disk: Disk, place: Path) -> None:
    disk.write(place / "file", b"")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        disk.make_directory(place / "file")
    assert disk.read(place / "file") == b""


def test_the_digest_is_that_of_the_content(disk: Disk, place: Path) -> None:
    disk.write(place / "file", b"abc")
    assert disk.sha256(place / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_space_of_a_path_that_is_not_there_yet_is_that_of_its_parent(disk: Disk, place: Path) -> None:
    space = disk.space(place / "not/there/yet")
    assert space.size_bytes >= space.free_bytes > 0


def test_files_are_listed_with_those_below_and_links_but_no_directories(disk: Disk, place: Path) -> None:
    disk.write(place / "b/c/file", b"1")
    disk.link(place / "b", place / "a")
    assert disk.files(place) == (place / "a", place / "b/c/file")
    assert disk.files(place / "absent") == ()


def test_a_tree_goes_but_for_the_files_to_keep_and_their_directories(disk: Disk, place: Path) -> None:
    for name in ("tree/keep/this", "tree/keep/not-this", "tree/all/of/it"):
        disk.write(place / name, b"1")
    disk.remove_tree(place / "tree", keep=frozenset({place / "tree/keep/this", place / "elsewhere"}))
    assert disk.files(place) == (place / "tree/keep/this",)
    assert disk.names(place / "tree") == ("keep",)


def test_a_real_disk_that_is_full_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        SystemDisk().write(Path("/dev/full/file"), b"new")
    assert SystemDisk().names(tmp_path) == ()


def test_a_treacherous_disk_that_is_full_keeps_what_was_there() -> None:
    disk, file = TreacherousDisk(), Path("/var/file")
    disk.write(file, b"old")
    disk.refuses = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        disk.write(file, b"new")
    assert disk.read(file) == b"old"
    assert disk.space(file).free_bytes == 0
