"""The pages about ports and files say of a controller what its own settings and constants say."""

import re
from pathlib import Path

from archipel_fleet import backup, settings
from archipel_fleet.host import files
from archipel_fleet.settings import Settings
from archipel_fleet.storage import engines
from archipel_fleet.trust import keyring

DOCS = Path(__file__).resolve().parents[2] / "docs"


def of_a_controller(page: str, heading: str) -> str:
    """The part of a page that is about a controller."""
    return (DOCS / page).read_text().partition(heading)[2]


def test_its_ports_are_those_that_the_page_of_listeners_declares() -> None:
    page = of_a_controller("listeners.md", "# What listens at a controller")
    alone, named = Settings(), Settings(names="fleet.example")
    declared = {
        int(port): to for port, to in re.findall(r"^\| (\d+)/tcp \| [^|]+ \| ([^|]+) \|", page, re.MULTILINE)
    }
    assert declared.keys() == {alone.port, alone.enrol_address[1], alone.embedded_port}
    assert declared[alone.port] == alone.host == named.host
    assert (alone.enrol_address[0], named.enrol_address[0]) == ("127.0.0.1", "0.0.0.0")
    for port in (alone.enrol_address[1], alone.embedded_port):
        assert declared[port] == "127.0.0.1; every address with `--names`"


def test_its_files_are_those_that_the_page_of_files_lists() -> None:
    page = of_a_controller("files.md", "## At a controller")
    listed = {
        name.rstrip("/")
        for row in re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    ours = {
        settings.FILE,
        engines.FILE,
        backup.RESTORING,
        backup.ASIDE,
        keyring.DIRECTORY,
        Settings().broker_directory.name,
        Settings().token_file.name,
        files.LOCK,
    }
    assert ours <= listed
    assert listed - ours == {f"{engines.FILE}-wal", f"{engines.FILE}-shm"}  # SQLite's own, beside the first
