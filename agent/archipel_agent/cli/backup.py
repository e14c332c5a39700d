"""`archipel backup`: make, list, verify and practise with backups, see when the next is due, and keep recovery keys."""

import argparse
from collections.abc import Callable
from pathlib import Path

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_agent.cli.recovery_key import key_file
from archipel_contract.jobs import Verb

EXAMPLES = """\
  sudo archipel backup key new
  sudo archipel backup now --to /media/usb/backups
  sudo archipel backup list --to /media/usb/backups
  sudo archipel backup verify --to /media/usb/backups --from-key /media/safe/recovery.key
  sudo archipel backup drill /media/usb/backups --from-key /media/safe/recovery.key
  sudo archipel backup schedule"""
WHERE = "directory, sftp://user@host/directory or s3://bucket/place (default: the setting backup_to)"


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("backup", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    now = words.add_parser("now", help="make a backup and send it to its target", allow_abbrev=False)
    listed = words.add_parser("list", help="which backups of this site the target holds", allow_abbrev=False)
    checked = words.add_parser(
        "verify",
        help="open a backup and hold every file to its checksum; nothing is restored",
        allow_abbrev=False,
    )
    drill = words.add_parser(
        "drill",
        help="restore a backup for practice, aside, and measure how long it takes",
        allow_abbrev=False,
    )
    planned = words.add_parser(
        "schedule", help="when backups are made by themselves, and how the last one went", allow_abbrev=False
    )
    key = words.add_parser(
        "key",
        help="make a recovery key, name one that is kept elsewhere, or list those known",
        allow_abbrev=False,
    )
    for one in (now, listed, checked):
        one.add_argument("--to", metavar="PLACE", help=WHERE)
    for one in (drill,):
        one.add_argument("source", nargs="?", metavar="SOURCE", help="a backup's file, or where backups are")
    checked.add_argument(
        "file", nargs="?", metavar="FILE", help="a backup's file (default: the newest at the target)"
    )
    for one in (checked, drill):
        one.add_argument("--site", metavar="ID", help="whose backup, where the target holds several sites'")
        one.add_argument("--from-key", metavar="FILE", help="file with the secret recovery key; - to type it")
    key.add_argument("what", choices=("new", "add", "list"), help="new makes one and shows it once")
    key.add_argument("recipient", nargs="?", metavar="RECIPIENT", help="of `add`: a public half (age1...)")
    for one in (now, listed, checked, drill, planned, key):
        command.common(one)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), lambda session: WORDS[session.options.word](session), arguments)


def absolute(place: str) -> str:
    """Return a place as the agent, which works elsewhere, understands it."""
    return place if "://" in place else str(Path(place).absolute())


def _now(session: Session) -> int:
    options: dict[str, Value] = {"to": absolute(session.options.to)} if session.options.to else {}
    ensure_agent(session, "backup now")
    return run_job(session, Verb.BACKUP, options)


def _drill(session: Session) -> int:
    ensure_agent(session, "backup drill")
    with key_file(session, session.options.from_key) as key:
        options: dict[str, Value] = {"key_file": str(key)}
        if session.options.source:
            options["source"] = absolute(session.options.source)
        if session.options.site:
            options["site"] = session.options.site
        return run_job(session, Verb.DRILL, options)


def _list(session: Session) -> int:
    from archipel_agent.cli.backup_looking import listing

    return listing(session)


def _verify(session: Session) -> int:
    from archipel_agent.cli.backup_looking import verify

    return verify(session)


def _schedule(session: Session) -> int:
    from archipel_agent.cli.backup_looking import schedule

    return schedule(session)


def _key(session: Session) -> int:
    from archipel_agent.cli.backup_keys import keys

    return keys(session)


WORDS: dict[str, Callable[[Session], int]] = {
    "now": _now,
    "list": _list,
    "verify": _verify,
    "drill": _drill,
    "schedule": _schedule,
    "key": _key,
}
