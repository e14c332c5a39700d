"""Out of a damaged database every row that can be read is saved, and the damaged one is not touched."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from archipel_agent.host.run import SystemRunner
from archipel_agent.state import salvage

PAGE = 4096
ROWS = 400


@pytest.fixture
def kine(tmp_path: Path) -> Path:
    """A database as k3s makes it, all of it in the file."""
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.executescript(f"PRAGMA page_size={PAGE}; {salvage.SCHEMA}")
    rows = [
        (number, f"/registry/configmaps/default/c{number}", 1, 0, 0, 0, 0, bytes([number % 256]) * 900, b"")
        for number in range(1, ROWS + 1)
    ]
    connection.executemany(f"INSERT INTO kine VALUES ({', '.join('?' * 9)})", rows)
    connection.commit()
    connection.close()
    return path


def leaf_pages(path: Path) -> list[int]:
    """Numbers of the table's leaf pages (their first byte is 0x0d), page 1 left out."""
    data = path.read_bytes()
    return [page for page in range(1, len(data) // PAGE) if data[page * PAGE] == 0x0D]


def tear(path: Path, *pages: int) -> None:
    """Overwrite whole pages with what a dying card might give."""
    data = bytearray(path.read_bytes())
    for page in pages:
        data[page * PAGE : (page + 1) * PAGE] = b"\xa5" * PAGE
    path.write_bytes(bytes(data))


def numbers(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT id FROM kine ORDER BY id")]
    finally:
        connection.close()


def test_a_whole_database_is_said_to_be_whole_and_nothing_is_made(
    kine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert salvage.main(kine, tmp_path / "new") == salvage.READABLE
    assert json.loads(capsys.readouterr().out)["whole"] is True
    assert not (tmp_path / "new").exists()


def test_all_rows_but_those_of_the_torn_page_are_saved(
    kine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = leaf_pages(kine)[len(leaf_pages(kine)) // 2]
    tear(kine, torn)
    before = kine.read_bytes()
    assert salvage.main(kine, tmp_path / "new") == salvage.READABLE
    answer = json.loads(capsys.readouterr().out)
    saved = numbers(tmp_path / "new")
    assert answer == {**answer, "whole": False, "rows": len(saved), "lost": ROWS - len(saved)}
    assert 0 < answer["lost"] <= 8
    assert saved[0] == 1 and saved[-1] == ROWS
    assert kine.read_bytes() == before


def test_several_gaps_up_to_both_ends_do_not_stop_the_reading(kine: Path, tmp_path: Path) -> None:
    leaves = leaf_pages(kine)
    tear(kine, leaves[0], leaves[5], leaves[6], leaves[7], leaves[20], leaves[-1])
    rows, lost = salvage.salvage(kine, tmp_path / "new")
    assert rows == len(numbers(tmp_path / "new")) > ROWS * 3 // 4
    assert rows + lost == ROWS


def test_damage_in_an_index_costs_no_row(kine: Path, tmp_path: Path) -> None:
    data = kine.read_bytes()
    tear(kine, *[page for page in range(1, len(data) // PAGE) if data[page * PAGE] == 0x0A][:3])
    assert salvage.problem(kine)
    rows, _ = salvage.salvage(kine, tmp_path / "new")
    assert rows == ROWS


def test_what_stands_in_the_log_only_is_saved_too(kine: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(kine, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO kine VALUES (900, '/late', 1, 0, 0, 0, 0, x'01', x'')")
    cut = tmp_path / "cut"
    cut.mkdir()
    for name in ("state.db", "state.db-wal"):  # the power fails: the log was not moved into the file
        (cut / name).write_bytes((tmp_path / name).read_bytes())
    connection.close()
    tear(cut / "state.db", leaf_pages(cut / "state.db")[3])
    log = (cut / "state.db-wal").read_bytes()
    salvage.salvage(cut / "state.db", tmp_path / "new")
    assert numbers(tmp_path / "new")[-1] == 900
    assert (cut / "state.db-wal").read_bytes() == log


@pytest.mark.parametrize("content", [b"", b"no database at all" * 999, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_beyond_help(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)
    assert salvage.main(tmp_path / "state.db", tmp_path / "new") == salvage.BEYOND_HELP
    assert (tmp_path / "state.db").read_bytes() == content


@pytest.mark.real_process
def test_it_is_a_program_that_answers_in_one_line(kine: Path, tmp_path: Path) -> None:
    tear(kine, leaf_pages(kine)[1])
    argv = [sys.executable, "-m", "archipel_agent.state.salvage", str(kine), str(tmp_path / "new")]
    done = SystemRunner().run(argv, timeout=15)
    assert json.loads(done.stdout)["rows"] == len(numbers(tmp_path / "new"))
