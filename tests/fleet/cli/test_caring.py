"""Commands on the controller's own machine: serve, backup, restore, broker-config."""

import json
import secrets
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_fleet import serve
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.host.files import DirectoryLock
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.settings import Settings
from archipel_fleet.storage import open_store
from tests.fleet.cli.conftest import Run


@pytest.fixture
def data(home: Path) -> Path:
    """A data directory with a database and one account."""
    directory = home / "data"
    directory.mkdir(mode=0o700)
    put(directory, "anna")
    return directory


def put(directory: Path, name: str) -> None:
    store = open_store("", directory, SystemClock(), secrets.token_bytes)
    store.put_account(Account(name=name, role=AccountRole.ADMIN), "scrypt$hash")
    store.close()


def names(directory: Path) -> list[str]:
    store = open_store("", directory, SystemClock(), secrets.token_bytes)
    found = [one.name for one in store.accounts()]
    store.close()
    return found


def test_a_copy_is_written_and_restored_and_it_is_said_what_devices_do(
    run: Run, data: Path, home: Path
) -> None:
    copy = home / "fleet.archipel"
    written = run("backup", str(copy), "--json")
    assert (written.code, json.loads(written.out)["file"]) == (Exit.OK, str(copy))
    assert copy.stat().st_mode & 0o077 == 0
    put(data, "later")
    said = run("restore", str(copy))
    assert said.code == Exit.OK
    assert names(data) == ["anna"]
    for word in (
        "Every node then offers again what it still keeps",
        "declared gap",
        "The former database is kept as",
    ):
        assert word in said.out


def test_a_copy_can_be_made_while_the_database_is_in_use(run: Run, data: Path, home: Path) -> None:
    store = open_store("", data, SystemClock(), secrets.token_bytes)
    said = run("backup", str(home / "copy"))
    store.close()
    assert said.code == Exit.OK


def test_a_running_controller_is_not_restored_over(run: Run, data: Path, home: Path) -> None:
    assert run("backup", str(home / "copy")).code == Exit.OK
    lock = DirectoryLock(data)
    said = run("restore", str(home / "copy"))
    lock.release()
    assert said.code == Exit.REFUSED
    assert "?" not in said.err.splitlines()[0]


def test_a_file_that_is_no_copy_is_refused_and_nothing_changes(run: Run, data: Path, home: Path) -> None:
    (home / "rubbish").write_bytes(b"archipel fleet backup\nrubbish")
    said = run("restore", str(home / "rubbish"))
    assert said.code == Exit.REFUSED
    assert names(data) == ["anna"]
    assert run("restore", str(home / "missing")).code == Exit.REFUSED


def test_postgresql_is_not_replaced_without_a_yes(run: Run, home: Path) -> None:
    said = run("restore", str(home / "copy"), "--database", "postgresql://127.0.0.1/archipel")
    assert said.code == Exit.REFUSED
    assert "--yes" in said.err


def test_serve_hands_its_options_on_as_settings(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Settings] = []

    def noting(settings: Settings) -> int:
        seen.append(settings)
        return Exit.OK

    monkeypatch.setattr(serve, "main", noting)
    words = [
        "--listen",
        "127.0.0.1:0",
        "--broker",
        "mqtt://127.0.0.1:1999",
        "--lang",
        "de",
        "--log-level",
        "DEBUG",
    ]
    assert run("serve", *words).code == Exit.OK
    made = seen[0]
    assert (made.listen, made.broker, made.language, made.log_level) == (
        "127.0.0.1:0",
        "mqtt://127.0.0.1:1999",
        "de",
        "DEBUG",
    )
    assert made.directory == home / "data"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--listen", "0.0.0.0:8470"), Exit.REFUSED),
        (("--broker", "mqtt://192.0.2.1"), Exit.REFUSED),
        (("--database", "postgresql://192.0.2.1/x"), Exit.REFUSED),
        (("--log-level", "LOUD"), Exit.USAGE),
        (("--shards", "70"), Exit.USAGE),
    ],
)
def test_serve_refuses_what_leaves_the_machine_and_names_what_is_wrong(
    run: Run, words: tuple[str, str], code: Exit
) -> None:
    said = run("serve", *words)
    assert said.code == code
    assert words[0] in said.err


def test_the_configuration_for_mosquitto_is_printed(run: Run) -> None:
    said = run("broker-config", "mosquitto", "--port", "1999")
    assert "listener 1999 127.0.0.1" in said.out
    assert json.loads(run("broker-config", "mosquitto", "--json").out)["configuration"].startswith(
        "listener 1883"
    )
