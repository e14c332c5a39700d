"""The controller's files: private, whole or not at all, and its directory for one controller at a time."""

import os
from pathlib import Path

import pytest

from archipel_fleet.host import files


def test_a_private_file_is_for_its_owner_only_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)
    files.write_private(path, "new\n")
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


def test_what_a_cut_left_half_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "token.new").write_text("ha")
    files.write_private(tmp_path / "token", "new")
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


def test_a_directory_is_made_with_those_above_it_and_only_we_may_enter(tmp_path: Path) -> None:
    files.make_private(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    files.make_private(tmp_path / "a" / "b")


def test_the_lock_keeps_others_out_and_says_who_holds_it_until_it_is_released(tmp_path: Path) -> None:
    lock = files.DirectoryLock(tmp_path)
    with pytest.raises(files.Locked) as locked:
        files.DirectoryLock(tmp_path)
    assert locked.value.pid == os.getpid()
    lock.release()
    files.DirectoryLock(tmp_path).release()


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("")
    for _ in range(2):
        files.remove(tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_files_is_removed_and_one_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    place = tmp_path / "keys.new"
    place.mkdir()
    (place / "a").write_text("x")
    files.remove_directory(place)
    assert not place.exists()
    files.remove_directory(place)


def test_what_others_may_is_taken_from_them_once_and_the_owner_keeps_his(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(0o644)
    assert files.close_to_others(path) is True
    assert path.stat().st_mode & 0o777 == 0o600
    assert files.close_to_others(path) is False
