"""`archipel fleet keys recovery-recipient`: the fleet's own key to the backups of its sites.

The public half stands in the trust document, signed by the roots like everything else there; each device seals its backups
for it beside its owner's. The secret half is printed once and kept nowhere.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli.command import Session, add
from archipel_fleet.cli.keys_dialog import opened, refusals
from archipel_fleet.cli.keys_proposing import Changing, change
from archipel_fleet.trust import authoring

HELP = """\
Make or show the fleet's recovery key, with which every site's backup can be opened.

new: the secret half is printed once, for paper, and kept nowhere; the public half goes into the trust document, and each
device seals its backups for it from then on, beside its owner's key. It takes the place of the one before; keep that one's
paper as long as its backups. With --json it stands in the answer, as recovery_key.secret. show: which public halves are
in force.

Examples:

  archipel fleet keys recovery-recipient new --key root.pem

  archipel fleet keys recovery-recipient new --out next.trust

  archipel fleet keys recovery-recipient show
"""
HEADING = "Archipel fleet recovery key, public half"
GROUP, ROW = 6, 4  # characters of a group, groups in a line: as a site's own key is shown
KEEP = """\
This is the secret half. It is printed once and kept nowhere.
  Print it or write it down, and store it away from this machine. Whoever has it can open every site's backup.
  In a file or typed, case, blanks and line ends do not matter; a typing error is found."""

KEEP_JSON = """\
The answer holds the secret half, as recovery_key.secret. It is printed once and kept nowhere.
  Whoever has it can open every site's backup: store the answer away from this machine, and let no log keep it."""


class Word(StrEnum):
    """What to do."""

    NEW = "new"
    SHOW = "show"


@dataclass(frozen=True, kw_only=True)
class RecoveryOptions(Changing):
    """Options of `keys recovery-recipient`."""

    word: Annotated[Word, typer.Argument(help="Make one, or show what is in force.")]


def register(group: typer.Typer) -> None:
    """Add the command to the group `keys`."""
    add(group, "recovery-recipient", RecoveryOptions, recovery_recipient, HELP)


def recovery_recipient(session: Session[RecoveryOptions]) -> int:
    """Make the fleet's recovery key, or show its public half."""
    return _new(session) if session.options.word is Word.NEW else _show(session)


def _new(session: Session[RecoveryOptions]) -> int:
    from archipel_contract.trust.sealing import new_recovery_key

    made = new_recovery_key()
    with refusals(session):
        keys = opened(session)
        changed = authoring.with_recovery(keys.trust.document, [made.recipient])
        shown = {"recovery_key": {"recipient": made.recipient, "secret": made.secret}}
        code = change(session, keys, changed, [], shown)
    # Only now: what was refused or not agreed to leaves no key about that opens nothing.
    if not session.screen.as_json:
        _print(session, made.secret, made.recipient)
    session.screen.note(KEEP_JSON if session.screen.as_json else KEEP)
    return code


def _print(session: Session[RecoveryOptions], secret: str, recipient: str) -> None:
    """Print the key in groups, for paper. As JSON it stands in the one document of the answer."""
    screen = session.screen
    groups = [secret[at : at + GROUP] for at in range(0, len(secret), GROUP)]
    screen.line()
    screen.line(f"# {HEADING} {recipient}")
    for start in range(0, len(groups), ROW):
        screen.line("  ".join(groups[start : start + ROW]))


def _show(session: Session[RecoveryOptions]) -> int:
    with refusals(session):
        recipients = opened(session).trust.document.recovery
    if session.screen.as_json:
        session.screen.data({"recipients": list(recipients)})
    for one in recipients if not session.screen.as_json else ():
        session.screen.line(one)
    if not recipients and not session.screen.as_json:
        session.screen.note(
            "The fleet has no recovery key, so each site's backups open with its owner's key alone: "
            "archipel fleet keys recovery-recipient new"
        )
    return Exit.OK if recipients else Exit.NOT_OK
