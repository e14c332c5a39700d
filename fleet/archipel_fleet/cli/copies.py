"""`archipel fleet backup` and `restore`: the controller's memory in one file, on the controller's own machine."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archipel_contract import catalogue
from archipel_contract.exits import Exit
from archipel_contract.findings import Finding, Severity
from archipel_fleet.cli.command import Local, Session, add
from archipel_fleet.cli.credentials import settings_of
from archipel_fleet.cli.session import secret
from archipel_fleet.cli.stop import Stop
from archipel_fleet.settings import Settings
from archipel_fleet.web.views import ages

if TYPE_CHECKING:
    from archipel_fleet.backup import BackupFailed, Copied, Passphrase

BACKUP = """\
Write everything the controller knows into one file, while it runs: sites, history, accounts, customers.

The file holds hashes of passwords; keep it like a key. The fleet's private keys are not in it: without them a controller
on another machine is a stranger to every device. --with-keys puts them in, sealed with a passphrase that is asked for.

Examples:

  archipel fleet backup /var/backups/fleet-$(date +%F).archipel

  archipel fleet backup /media/safe/fleet.archipel --with-keys

  archipel fleet backup copy.archipel --with-keys --passphrase-stdin < passphrase.txt

  archipel fleet backup copy.archipel --database postgresql://127.0.0.1/archipel
"""
RESTORE = """\
Put a copy in the place of the controller's database; the controller must not run.

Nothing is replaced before the copy was read to its end and found whole; SQLite's former file is kept aside. A copy of
SQLite can be restored into PostgreSQL and the other way round. Devices notice that the controller is an older one and send
again what they still keep; what they had deleted since is shown as a gap. Nothing at the sites changes. Keys in the copy
are restored where there are none yet; the passphrase is asked for.

Examples:

  archipel fleet restore /var/backups/fleet-2026-11-22.archipel

  archipel fleet restore copy.archipel --database postgresql://127.0.0.1/archipel --yes
"""
AFTERWARDS = (
    "Start the controller: archipel fleet serve",
    "Every node then offers again what it still keeps and the copy lacks; what it no longer has becomes a declared gap.",
    "Sites count as not known until they are heard again. Nothing at the sites themselves changes.",
    "Everybody has to log in again: sessions are in no copy.",
    "Accounts, passwords and customers are those of the copy: who was removed since is back, who was added is gone.",
)
KEYS = {
    "sealed": "The fleet's keys are in the copy and stay there: repeat with --passphrase-stdin to restore them.",
    "restored": "The fleet's keys are restored.",
    "left": "There were keys here already; they stay, and those in the copy were not used.",
}

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="PostgreSQL, if the controller does not keep SQLite in its directory.",
    ),
]
PassphraseStdin = Annotated[
    bool, typer.Option("--passphrase-stdin", help="Read the passphrase from standard input.")
]


@dataclass(frozen=True, kw_only=True)
class BackupOptions(Local):
    """Options of `backup`."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy to write.")]
    database: Database = None
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Put the fleet's private keys in, sealed with a passphrase.")
    ] = False
    passphrase_stdin: PassphraseStdin = False


@dataclass(frozen=True, kw_only=True)
class RestoreOptions(Local):
    """Options of `restore`."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy to restore.")]
    database: Database = None
    yes: Annotated[
        bool, typer.Option("--yes", help="Replace what is in PostgreSQL, of which nothing is kept aside.")
    ] = False
    passphrase_stdin: PassphraseStdin = False


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, "backup", BackupOptions, backup, BACKUP)
    add(app, "restore", RestoreOptions, restore, RESTORE)


def backup(session: Session[BackupOptions]) -> int:
    """Write a copy."""
    from archipel_fleet import backup as copies
    from archipel_fleet.host.clock import SystemClock

    given = session.options
    settings = _settings(given.data, given.database)
    sealed = _new_passphrase(given.passphrase_stdin) if given.with_keys else None
    try:
        done = copies.backup(
            settings.database, settings.directory, Path(given.file).absolute(), SystemClock().now(), sealed
        )
    except copies.BackupFailed as error:
        raise _stop(session, error) from error
    words = ", and the fleet's keys, sealed" if done.keys is copies.Keyed.SEALED else ""
    return _said(session, done, f"{_rows(done)} rows are in {done.file}{words}.")


def restore(session: Session[RestoreOptions]) -> int:
    """Restore a copy."""
    from archipel_fleet import backup as copies

    given, screen = session.options, session.screen
    settings = _settings(given.data, given.database)
    if settings.database and not given.yes:
        raise Stop(
            Exit.REFUSED,
            "this replaces all that is in the PostgreSQL database, and nothing of it is kept aside.\n"
            "  Make a copy of it first (archipel fleet backup FILE), then repeat with --yes.",
        )
    source = Path(given.file).absolute()
    try:
        opened = None
        if copies.verified(source).keys is copies.Keyed.SEALED and _wants_keys(settings, given):
            opened = copies.Passphrase(
                secret("Passphrase of the keys in the copy: ", from_stdin=given.passphrase_stdin)
            )
        done = copies.restore(source, settings.database, settings.directory, secrets.token_bytes, opened)
    except copies.BackupFailed as error:
        raise _stop(session, error) from error
    _said(session, done, f"Restored: {_rows(done)} rows, as they were on {ages.full(done.made)}.")
    if not screen.as_json:
        if done.aside is not None:
            screen.line(f"The former database is kept as {done.aside}.")
        if done.keys is not copies.Keyed.NONE:
            screen.line(KEYS[done.keys.value])
        for line in AFTERWARDS:
            screen.line(f"- {line}")
    return Exit.OK


def _wants_keys(settings: Settings, given: RestoreOptions) -> bool:
    """Whether keys are to be restored: there are none, and somebody can give the passphrase."""
    from archipel_fleet.trust.keyring import DIRECTORY

    return given.passphrase_stdin or (
        not (settings.directory / DIRECTORY).exists() and sys.stdin.isatty() and sys.stderr.isatty()
    )


def _new_passphrase(from_stdin: bool) -> "Passphrase":
    """Return what a person chose, typed twice; raise Stop."""
    from archipel_fleet.backup import Passphrase

    first = secret("Passphrase for the keys: ", from_stdin=from_stdin)
    if not from_stdin and secret("Once more: ", from_stdin=False) != first:
        raise Stop(Exit.USAGE, "the two are different; nothing was written")
    return Passphrase(first)


def _settings(data: str | None, database: str | None) -> Settings:
    return settings_of(data, os.environ, database)


def _rows(done: "Copied") -> int:
    return sum(done.rows.values())


def _said(session: Session[BackupOptions] | Session[RestoreOptions], done: "Copied", sentence: str) -> int:
    if session.screen.as_json:
        aside = None if done.aside is None else str(done.aside)
        session.screen.data(
            {
                "file": str(done.file),
                "made": done.made,
                "rows": done.rows,
                "aside": aside,
                "keys": done.keys.value,
            }
        )
    else:
        session.screen.line(sentence)
    return Exit.OK


def _stop(session: Session[BackupOptions] | Session[RestoreOptions], error: "BackupFailed") -> Stop:
    detail, given = str(error), session.options
    data = str(_settings(given.data, given.database).directory)
    pid = "".join(char for char in detail if char.isdigit()) or "?"
    try:
        finding = catalogue.finding(
            error.code, (), None, detail=detail, problem=detail, file=given.file, data=data, pid=pid
        )
    except catalogue.CodeUnknown:
        finding = Finding(code=error.code, severity=Severity.PROBLEM, summary=detail)
    words = catalogue.words(finding, session.screen.language)
    said = [words.title, detail, words.remedy]
    code = Exit.REFUSED if error.code in ("fleet-already-running", "fleet-backup-unusable") else Exit.FAILED
    return Stop(code, "\n  ".join(dict.fromkeys(line for line in said if line)))
