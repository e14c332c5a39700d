"""What the commands about keys ask and show: passphrases, a yes, and a trust document in words. Called by them only."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from archipel_contract import catalogue
from archipel_contract.exits import Exit
from archipel_contract.trust.certificates import pin
from archipel_contract.trust.certificates import read as read_certificate
from archipel_contract.trust.keys import Signer, public_key
from archipel_contract.trust_document import FOREVER, Delegation, TrustDocument
from archipel_fleet.cli.command import Local, Session
from archipel_fleet.cli.credentials import settings_of
from archipel_fleet.cli.stop import Stop
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust import authoring, keyfile
from archipel_fleet.trust.keyring import DIRECTORY, FleetKeys
from archipel_fleet.trust.refusal import KeysRefused

SHORTEST = 8  # characters of a passphrase

PassphraseFile = Annotated[
    str,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="Take the passphrase from the first line of this file."
    ),
]
NoPassphrase = Annotated[
    bool,
    typer.Option("--no-passphrase", help="Write the key without a passphrase: whoever has the file has it."),
]
Recovery = Annotated[
    bool, typer.Option("--recovery", help="Also print the recovery text, to be kept on paper.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
RootKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="FILE|pkcs11:...", help="A root's key to sign with; may be given several times."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Agreed(Local):
    """Options of commands that change something."""

    yes: Yes = False


def keys_directory(session: Session[Any]) -> Path:
    """Return where the controller's keys lie, or would."""
    return settings_of(session.options.data, os.environ).directory / DIRECTORY


def opened(session: Session[Any]) -> FleetKeys:
    """Return the controller's keys; raise KeysRefused."""
    return FleetKeys(keys_directory(session), SystemClock())


@contextmanager
def refusals(session: Session[Any]) -> Iterator[None]:
    """Turn what keys refuse into the end of the command, in the words of the catalogue."""
    try:
        yield
    except KeysRefused as error:
        words = catalogue.words(error.finding, session.screen.language)
        said = [words.title, words.cause, words.remedy]
        raise Stop(Exit.REFUSED, "\n  ".join(said)) from error
    except authoring.ChangeRefused as error:
        raise Stop(Exit.REFUSED, f"{error}\n  Nothing was changed.") from error


def agree(session: Session[Any], sentences: list[str]) -> None:
    """Say what will be done and have somebody agree; raise Stop if nobody does."""
    for one in sentences:
        session.screen.note(one)
    if session.options.yes:
        return
    if not sys.stdin.isatty():
        raise Stop(
            Exit.REFUSED, "nothing was changed: there is nobody to ask. If this is right, repeat with --yes"
        )
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "j", "ja"):
        raise Stop(Exit.REFUSED, "nothing was changed")


def passphrase_asker(file: str) -> keyfile.Ask:
    """Return what asks for the passphrase of a key that is read."""

    def ask(question: str) -> str:
        return _from_file(file) if file else _typed(question)

    return ask


def new_passphrase(file: str, none: bool, what: str) -> str:
    """Return the passphrase for a new file, typed twice; raise Stop."""
    if none:
        return ""
    found = _from_file(file) if file else _typed(f"Passphrase for {what}: ")
    if len(found) < SHORTEST:
        raise Stop(
            Exit.USAGE, f"a passphrase has at least {SHORTEST} characters; three or four words are good"
        )
    if not file and _typed("The same again: ") != found:
        raise Stop(Exit.USAGE, "the two are not the same; nothing was written")
    return found


def _from_file(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(Exit.USAGE, f"the passphrase cannot be read from {file}: {error}") from error


def _typed(question: str) -> str:
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "there is nobody to ask for the passphrase; use --passphrase-file")
    return getpass.getpass(question, stream=sys.stderr)


def signers(keys: FleetKeys | None, places: list[str] | None, file: str) -> list[Signer]:
    """Return everybody who can sign here: roots that lie in the data directory, and those that were named."""
    found = list(keys.roots) if keys is not None else []
    return found + [keyfile.signer(place, passphrase_asker(file)) for place in places or ()]


# --- a trust document in words ---------------------------------------------------------------------------------------


def described(document: TrustDocument, online: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a trust document for `--json`: what a person would ask of it."""
    return {
        "fleet": document.fleet_id,
        "name": document.name,
        "version": document.version,
        "threshold": document.threshold,
        "roots": [
            {"id": public_key(one).key_id, "public": one, "online": public_key(one).key_id in online}
            for one in document.roots
        ],
        "keys": [
            {
                "id": public_key(one.public).key_id,
                "public": one.public,
                "name": one.name,
                "role": one.role.value,
                "may": list(one.may),
                "sites": list(one.sites),
                "expires": one.expires or None,
            }
            for one in document.keys
        ],
        "authorities": [
            {
                "pin": pin(one.encode()),
                "until": f"{read_certificate(one.encode()).not_after:%Y-%m-%d}",
            }
            for one in document.authorities
        ],
        "revoked": list(document.revoked),
        "recovery": list(document.recovery),
    }


def written(session: Session[Any], document: TrustDocument, online: tuple[str, ...] = ()) -> None:
    """Write a trust document for people."""
    screen = session.screen
    said = described(document, online)
    screen.line(
        f"Fleet {said['name'] or '(no name)'}  {said['fleet']}, trust document version {said['version']}"
    )
    screen.line()
    screen.line(f"Roots: {said['threshold']} of {len(said['roots'])} must sign a change.")
    for root in said["roots"]:
        screen.line(f"  {root['id']}  {'LIES ON THIS MACHINE' if root['online'] else 'elsewhere'}")
    screen.line()
    screen.table(
        ["key", "name", "role", "until", "sites", "may"],
        [((), _row(public_key(one.public).key_id, one)) for one in document.keys],
    )
    screen.line()
    for number, one in enumerate(said["authorities"]):
        screen.line(f"CA {one['pin']}  until {one['until']}" + ("  issues for devices" if not number else ""))
    if document.revoked:
        screen.line(f"Revoked: {', '.join(document.revoked)}")
    for recipient in document.recovery:
        screen.line(f"Backups are also sealed for {recipient}")


def _row(key_id: str, one: Delegation) -> tuple[str, ...]:
    return (
        key_id,
        one.name,
        one.role.value,
        day(one.expires),
        ", ".join(one.sites) or "all",
        ", ".join(one.may),
    )


def day(milliseconds: int) -> str:
    """Return a date, or that there is none."""
    if milliseconds == FOREVER:
        return "no end"
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"


def differences(before: TrustDocument, after: TrustDocument) -> list[str]:
    """Return what a new version changes, one sentence each, the dangerous ones in full."""
    found = []
    old, new = authoring.root_ids(before), authoring.root_ids(after)
    found += [
        f"- {one} becomes a ROOT: it may sign any change of this document." for one in new if one not in old
    ]
    found += [f"- {one} is a root no more." for one in old if one not in new]
    if (before.threshold, len(old)) != (after.threshold, len(new)):
        found.append(
            f"- {after.threshold} of {len(new)} roots must sign from then on (now {before.threshold} of {len(old)})."
        )
    known = {one.public: one for one in before.keys}
    for one in after.keys:
        if known.get(one.public) != one:
            found.append(f"- {_sentence(one)}")
    kept = {one.public for one in after.keys}
    found += [
        f"- {public_key(one.public).key_id} ({one.name}) is no key of this fleet any more."
        for one in before.keys
        if one.public not in kept
    ]
    found += [
        f"- {one} is revoked and can never be used again."
        for one in after.revoked
        if one not in before.revoked and one not in old
    ]
    found += [
        f"- A CA is added: {pin(one.encode())}." for one in after.authorities if one not in before.authorities
    ]
    found += [
        f"- The CA {pin(one.encode())} is taken out: devices that do not know another one have to enrol anew."
        for one in before.authorities
        if one not in after.authorities
    ]
    found += [
        f"- Whoever holds the secret half of {one} can open every backup that a device makes from then on."
        for one in after.recovery
        if one not in before.recovery
    ]
    found += [
        f"- New backups are not sealed for {one} any more; older ones still need its secret half."
        for one in before.recovery
        if one not in after.recovery
    ]
    if before.name != after.name:
        found.append(f"- The fleet is called {after.name!r}.")
    return [f"Version {after.version} of the trust document of {after.fleet_id}:", *found]


def _sentence(one: Delegation) -> str:
    where = f"at {', '.join(one.sites)} only" if one.sites else "at every site"
    until = f"until {day(one.expires)}" if one.expires else "without an end"
    return f"{public_key(one.public).key_id} ({one.name}, {one.role.value}) may {', '.join(one.may)}, {where}, {until}."
