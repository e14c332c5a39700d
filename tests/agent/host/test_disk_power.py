"""At no instant of a write does a power cut leave half a file under its name; the fake can tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.disk import TreacherousDisk
from tests.fakes.files import Node
from tests.fakes.power import PowerCut

HOME = Path("/var/lib/archipel")
OLD, NEW = b"the old text", b"the new text, which is longer"


def cut_everywhere(work: Callable[[TreacherousDisk], None]) -> list[TreacherousDisk]:
    """The disks that cuts at each instant of `work` leave behind, the uncut one last."""
    left = []
    for number in range(1, 1000):
        disk = TreacherousDisk(volatile=(Path("/run"),))
        disk.put(HOME / "file", OLD, 0o600)
        disk.put(HOME / "tree/a", b"a")
        disk.put(HOME / "tree/b", b"b")
        disk.power.crash_at(number)
        left.append(disk)
        try:
            work(disk)
        except PowerCut:
            disk.after_power_cut()
        else:
            disk.power.back()
            return left
    raise AssertionError("the work never ends")


def contents(disks: list[TreacherousDisk], path: Path) -> set[Node | None]:
    return {disk.tree().get(str(path)) for disk in disks}


def test_a_cut_while_writing_leaves_the_old_or_the_new_file_and_nothing_else() -> None:
    disks = cut_everywhere(lambda disk: disk.write(HOME / "file", NEW, 0o644))
    assert contents(disks, HOME / "file") == {Node(0o600, OLD), Node(0o644, NEW)}
    assert len(disks) == 7  # before, torn, not renamed, rename lost, rename kept, done, and the uncut run


def test_a_cut_leaves_torn_temporaries_that_the_next_write_clears() -> None:
    disks = cut_everywhere(lambda disk: disk.write(HOME / "file", NEW))
    torn = [disk for disk in disks if ".archipel-file" in disk.names(HOME)]
    assert len(torn) == 2
    for disk in torn:
        assert NEW.startswith(disk.read(HOME / ".archipel-file"))
        disk.write(HOME / "file", NEW)
        assert disk.names(HOME) == ("file", "tree")


def test_a_link_points_to_the_old_or_the_new_target() -> None:
    def work(disk: TreacherousDisk) -> None:
        disk.link(Path("versions/1"), HOME / "current")
        disk.link(Path("versions/2"), HOME / "current")

    targets = {node and node.target for node in contents(cut_everywhere(work), HOME / "current")}
    assert targets == {None, "versions/1", "versions/2"}


def test_a_cut_while_sharing_leaves_each_name_whole_or_as_it_was_in_any_order() -> None:
    names = {HOME / "file": HOME / "tree/a", HOME / "new/b": HOME / "tree/b"}
    disks = cut_everywhere(lambda disk: disk.share(names, 0o644))
    left = {(disk.tree().get(str(HOME / "file")), disk.tree().get(str(HOME / "new/b"))) for disk in disks}
    first, second = (Node(0o600, OLD), Node(0o644, b"a")), (None, Node(0o644, b"b"))
    assert left == {(one, other) for one in first for other in second}
    for disk in disks:
        disk.share(names, 0o644)  # whoever goes on ends as if nothing had happened
        assert all(disk.is_same(path, file) for path, file in names.items())
        assert disk.names(HOME) == ("file", "new", "tree")


def test_a_removed_file_is_there_or_gone() -> None:
    disks = cut_everywhere(lambda disk: disk.remove(HOME / "file"))
    assert contents(disks, HOME / "file") == {Node(0o600, OLD), None}


def test_a_tree_may_be_cut_down_by_half() -> None:
    disks = cut_everywhere(lambda disk: disk.remove_tree(HOME / "tree"))
    assert {disk.names(HOME / "tree") for disk in disks} == {("a", "b"), ("a",), ()}
    assert {disk.exists(HOME / "tree") for disk in disks} == {True, False}


def test_after_the_cut_nothing_can_be_tidied_up() -> None:
    disk = TreacherousDisk()
    disk.power.crash_at(1)
    with pytest.raises(PowerCut):
        disk.write(HOME / "file", NEW)
    for attempt in (lambda: disk.remove(HOME / "file"), lambda: disk.read(HOME / "file")):
        with pytest.raises(PowerCut):
            attempt()


def test_what_never_outlives_a_boot_is_gone() -> None:
    disk = TreacherousDisk(volatile=(Path("/run"),))
    disk.write(Path("/run/archipel/k3s.json"), b"{}")
    disk.write(HOME / "file", NEW)
    disk.power.cut()
    disk.after_power_cut()
    assert not disk.exists(Path("/run/archipel/k3s.json"))
    assert disk.read(HOME / "file") == NEW
