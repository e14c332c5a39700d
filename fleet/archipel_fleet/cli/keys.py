"""`archipel fleet keys`: the fleet's roots, what they say of every other key, and how that is changed.

Works on the controller's data directory; the controller need not run, and takes in what changes if it does.
"""

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from archipel_contract.exits import Exit
from archipel_contract.trust.keys import PrivateKey, Signer, SoftwareSigner, new_fleet_key
from archipel_contract.trust_document import TrustDocument
from archipel_fleet.cli import keys_changing, keys_proposing, keys_recovery
from archipel_fleet.cli.command import Local, Plain, Session, add
from archipel_fleet.cli.keys_dialog import (
    Agreed,
    NoPassphrase,
    PassphraseFile,
    Recovery,
    Yes,
    agree,
    described,
    keys_directory,
    new_passphrase,
    opened,
    refusals,
    written,
)
from archipel_fleet.cli.stop import Stop
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust import founding, keyfile, recovery

GROUP = """\
Who may command this fleet's devices, and who may change that.

A root signs the trust document; the trust document says what every other key may do, and devices believe nothing else.
Roots are needed rarely and belong off this machine.
"""
INIT = """\
Make the keys of a new fleet: roots, a controller's key, a CA, and version 1 of the trust document.

`archipel fleet serve` does this by itself at its first start, with one root that lies in the data directory. Use this
command before that start for roots that never lie there: with --out they are written there, each with the same passphrase,
and can be carried to different machines.

Examples:

  archipel fleet keys init --name plant

  archipel fleet keys init --name plant --roots 3 --threshold 2 --out /media/stick
"""
SHOW = """\
Show the trust document in force: roots, keys with what they may do, CAs, and what is revoked.

Examples:

  archipel fleet keys show

  archipel fleet keys show --json
"""
NEW = """\
Make a key of one's own in a file: for a person who will be an operator, or for one more root.

It can be made on any machine. The line it prints is public; give it to whoever delegates (`archipel fleet keys delegate`) or
exchanges roots (`archipel fleet keys rotate roots --add`).

Examples:

  archipel fleet keys new --out nora.pem

  archipel fleet keys new --out root2.pem --recovery
"""
EXPORT = """\
Move a root's private key from the controller's machine into a file, encrypted with a passphrase.

The file is written and read back first; only then the key is removed here. With --recovery the key is also printed as
text for paper, from which `archipel fleet keys recover` makes the file again.

Examples:

  archipel fleet keys export-root --out /media/stick/root.pem

  archipel fleet keys export-root --out /media/stick/root.pem --recovery
"""
RECOVER = """\
Make a root's file again from its recovery text on paper.

Type the groups, with or without the numbers of the rows, and end with an empty line. A typing error is found, and its group
is named. The file can then sign as before: `archipel fleet keys sign` and `--key`.

Examples:

  archipel fleet keys recover --out root.pem

  archipel fleet keys recover --out root.pem < typed.txt
"""
ROOTS_LIMIT = 16


@dataclass(frozen=True, kw_only=True)
class InitOptions(Agreed):
    """Options of `keys init`."""

    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What people call this fleet.")] = ""
    roots: Annotated[int, typer.Option("--roots", min=1, max=ROOTS_LIMIT, help="How many roots.")] = 1
    threshold: Annotated[
        int, typer.Option("--threshold", min=1, max=ROOTS_LIMIT, help="How many of them must sign a change.")
    ] = 1
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="DIRECTORY", help="Where to write the roots, instead of keeping one here."
        ),
    ] = ""
    passphrase_file: PassphraseFile = ""
    no_passphrase: NoPassphrase = False
    recovery: Recovery = False


@dataclass(frozen=True, kw_only=True)
class NewOptions(Plain):
    """Options of `keys new` and `keys recover`."""

    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="The file to write; one that exists is kept.")
    ]
    passphrase_file: PassphraseFile = ""
    no_passphrase: NoPassphrase = False


@dataclass(frozen=True, kw_only=True)
class MakeOptions(NewOptions):
    """Options of `keys new`."""

    recovery: Recovery = False


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Local):
    """Options of `keys export-root`."""

    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="The file to write; one that exists is kept.")
    ]
    root: Annotated[
        str, typer.Option("--root", metavar="KEY-ID", help="Which root, if several lie here.")
    ] = ""
    passphrase_file: PassphraseFile = ""
    no_passphrase: NoPassphrase = False
    recovery: Recovery = False
    yes: Yes = False


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help=GROUP, short_help=GROUP.splitlines()[0], no_args_is_help=True, rich_markup_mode=None
    )
    add(group, "init", InitOptions, init, INIT)
    add(group, "show", Local, show, SHOW)
    add(group, "new", MakeOptions, new, NEW)
    keys_changing.register(group)
    keys_proposing.register(group)
    keys_recovery.register(group)
    add(group, "recover", NewOptions, recover, RECOVER)
    add(group, "export-root", ExportOptions, export_root, EXPORT)
    app.add_typer(group, name="keys")


def init(session: Session[InitOptions]) -> int:
    """Make a fleet's keys."""
    given, directory = session.options, keys_directory(session)
    if given.threshold > given.roots:
        raise Stop(Exit.USAGE, f"{given.threshold} of {given.roots} roots can never sign")
    if given.roots > 1 and not given.out:
        raise Stop(Exit.USAGE, "several roots in one place are no better than one; say --out DIRECTORY")
    with refusals(session):
        founding.check_none(directory)
        where = f"{given.roots} in {given.out}, none here" if given.out else f"1, in {directory}"
        agree(session, [f"A new fleet {given.name!r} is founded; its keys lie in {directory}.",
                        f"Roots: {where}; {given.threshold} must sign a change."])  # fmt: skip
        roots: list[PrivateKey] = [new_fleet_key() for _ in range(given.roots)]
        if given.out:
            passphrase = new_passphrase(given.passphrase_file, given.no_passphrase, "the roots")
            for number, root in enumerate(roots, 1):
                keyfile.write(Path(given.out) / f"root{number}.pem", root, passphrase)
        founding.found(directory, given.name, roots, given.threshold, SystemClock(), secrets.token_bytes,
                       keep_roots=not given.out)  # fmt: skip
        keys = opened(session)
    _say_document(session, keys.trust.document, keys.roots)
    _print_recovery(session, roots)
    if given.out and not session.screen.as_json:
        session.screen.note(f"Carry root1.pem to root{given.roots}.pem away, best to different places.")
    return Exit.OK


def show(session: Session[Local]) -> int:
    """Show the trust document."""
    with refusals(session):
        keys = opened(session)
        found = keys.findings()
    _say_document(session, keys.trust.document, keys.roots)
    for one in found:
        session.screen.note(f"\n{one.summary}\n  {one.next_step}")
    return Exit.OK


def new(session: Session[MakeOptions]) -> int:
    """Make a key in a file."""
    key = new_fleet_key()
    signer = _write(session, key)
    if not session.screen.as_json:
        session.screen.note(
            f"{session.options.out} holds the key {signer.key_id}. Its public half, to give away:"
        )
        session.screen.line(str(signer.public))
    if session.options.recovery:
        _print_recovery(session, [key])
    return Exit.OK


def recover(session: Session[NewOptions]) -> int:
    """Make a root's file from its recovery text."""
    try:
        key = recovery.read(_typed_text(session))
    except recovery.RecoveryInvalid as error:
        raise Stop(Exit.REFUSED, f"{error}\n  Compare it with the paper and begin again.") from error
    signer = _write(session, key)
    if not session.screen.as_json:
        session.screen.line(f"{session.options.out} holds the root {signer.key_id} again.")
    return Exit.OK


def _write(session: Session[Any], key: PrivateKey) -> SoftwareSigner:
    """Write a key to the file that the options name; answer which it is where JSON is wanted."""
    given = session.options
    with refusals(session):
        passphrase = new_passphrase(given.passphrase_file, given.no_passphrase, given.out)
        keyfile.write(Path(given.out), key, passphrase)
    signer = SoftwareSigner(key)
    if session.screen.as_json:
        session.screen.data({"file": given.out, "id": signer.key_id, "public": str(signer.public)})
    return signer


def export_root(session: Session[ExportOptions]) -> int:
    """Move a root's key away from here."""
    given = session.options
    with refusals(session):
        keys = opened(session)
        here = [one.key_id for one in keys.roots]
        wanted = given.root or (here[0] if len(here) == 1 else "")
        key = keys.root_key(wanted)
        if key is None:
            raise Stop(
                Exit.REFUSED, f"say which by --root: {', '.join(here)}" if here else "no root lies here"
            )
        agree(session, [f"The root {wanted} is written to {given.out} and removed from {keys.directory}.",
                        "From then on every change of who may command this fleet needs that file."])  # fmt: skip
        keyfile.write(
            Path(given.out), key, new_passphrase(given.passphrase_file, given.no_passphrase, given.out)
        )
        keys.forget_root(wanted)
    if session.screen.as_json:
        session.screen.data({"root": wanted, "file": given.out, "here": [one.key_id for one in keys.roots]})
    else:
        session.screen.line(f"The root {wanted} lies in {given.out} now, and no more on this machine.")
        session.screen.note(
            "Copies of this directory made before still hold it. Try the file: archipel fleet keys propose --help"
        )
    if given.recovery:
        _print_recovery(session, [key])
    return Exit.OK


def _say_document(
    session: Session[Local] | Session[InitOptions], document: TrustDocument, roots: Sequence[Signer]
) -> None:
    online = tuple(one.key_id for one in roots)
    if session.screen.as_json:
        session.screen.data(described(document, online))
    else:
        written(session, document, online)


def _print_recovery(session: Session[Any], keys: Sequence[PrivateKey]) -> None:
    """Print keys as text for paper, on standard output also where the answer is JSON: it is what was asked for."""
    if not session.options.recovery:
        return
    for key in keys:
        session.screen.line()
        session.screen.line(recovery.text(keyfile.recoverable(key)))
    session.screen.note("Write it down or print it; whoever reads it has the key.")


def _typed_text(session: Session[NewOptions]) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.read()
    session.screen.note(f"The {recovery.GROUPS} groups of the recovery text; an empty line ends it.")
    lines = []
    while line := sys.stdin.readline().strip():
        lines.append(line)
    return "\n".join(lines)
