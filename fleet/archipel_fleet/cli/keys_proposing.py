"""The way of every change of the trust document, and the commands for the parts of it: propose, sign, accept.

It says what will change and asks. If enough roots can sign here, the version is put in force at once; otherwise it goes into
a file (--out), to which the other roots add their signatures wherever they lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from archipel_contract.exits import Exit
from archipel_contract.link.envelope import FRAME_LIMIT, EnvelopeInvalid, Frame, frame_from, framed
from archipel_contract.trust.keys import PrivateKey, Signer, SigningFailed
from archipel_contract.trust_document import TrustDocument
from archipel_fleet.cli import complete
from archipel_fleet.cli.command import Session, add
from archipel_fleet.cli.keys_dialog import (
    Agreed,
    PassphraseFile,
    RootKeys,
    agree,
    described,
    differences,
    keys_directory,
    opened,
    refusals,
    signers,
    written,
)
from archipel_fleet.cli.stop import Stop
from archipel_fleet.host import files
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.trust import authoring
from archipel_fleet.trust.keyring import FleetKeys

PROPOSE = """\
Write several changes as one proposal into a file, for roots that lie elsewhere.

Then each root signs it (`archipel fleet keys sign`), and the controller's machine takes it in
(`archipel fleet keys accept`).

Examples:

  archipel fleet keys propose --revoke k-7k2m9qxf04hvd1et --add-root ed25519:AAAA... --threshold 2 --out next.trust
"""
SIGN = """\
Sign a proposal with a root's key, on whatever machine the key lies; the file then holds one signature more.

It shows the whole document first. Read it: a root's signature is what every device believes.

Examples:

  archipel fleet keys sign next.trust --key root2.pem

  archipel fleet keys sign next.trust --key 'pkcs11:token=root;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so'
"""
ACCEPT = """\
Put a signed proposal in force. A running controller takes it in by itself and tells the devices.

Examples:

  archipel fleet keys accept next.trust
"""
Out = Annotated[
    str,
    typer.Option(
        "--out", metavar="FILE", help="Write a proposal for other roots to sign, and change nothing yet."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Changing(Agreed):
    """Options of commands that make a version."""

    key: RootKeys = None
    passphrase_file: PassphraseFile = ""
    out: Out = ""


@dataclass(frozen=True, kw_only=True)
class ProposeOptions(Agreed):
    """Options of `keys propose`."""

    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The proposal to write.")]
    revoke: Annotated[
        list[str] | None,
        typer.Option("--revoke", metavar="KEY-ID", help="Revoke a key.", autocompletion=complete.keys),
    ] = None
    add_root: Annotated[
        list[str] | None, typer.Option("--add-root", metavar="PUBLIC-KEY", help="One more root.")
    ] = None
    remove_root: Annotated[
        list[str] | None, typer.Option("--remove-root", metavar="KEY-ID", help="A root that goes.")
    ] = None
    threshold: Annotated[int, typer.Option("--threshold", help="How many roots must sign from then on.")] = 0
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What people call the fleet.")] = ""
    key: RootKeys = None
    passphrase_file: PassphraseFile = ""


@dataclass(frozen=True, kw_only=True)
class SignOptions(Agreed):
    """Options of `keys sign`."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="The proposal.")]
    key: Annotated[list[str], typer.Option("--key", metavar="FILE|pkcs11:...", help="The root's key.")]
    passphrase_file: PassphraseFile = ""


@dataclass(frozen=True, kw_only=True)
class AcceptOptions(Agreed):
    """Options of `keys accept`."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="The proposal.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `keys`."""
    add(group, "propose", ProposeOptions, propose, PROPOSE)
    add(group, "sign", SignOptions, sign, SIGN)
    add(group, "accept", AcceptOptions, accept, ACCEPT)


def change(
    session: "Session[Any]",
    keys: FleetKeys,
    changed: TrustDocument,
    fresh: Sequence[PrivateKey],
    also: Mapping[str, object] | None = None,
) -> int:
    """Make the next version: in force at once if enough roots sign here, else as a proposal in a file.

    `also` goes into the answer where that is JSON, which is one document; it is not said of a change that was refused.
    """
    given, before = session.options, keys.trust.document
    after = authoring.successor(before, changed)
    agree(session, differences(before, after))
    frame = authoring.draft(after, SystemClock().now())
    for signer in signers(keys, given.key, given.passphrase_file):
        frame = _signed(frame, signer)
    tally = authoring.tally(frame, before)
    if given.out:
        for key in fresh:
            keys.put_key(key)
        path = Path(given.out)
        _write(path, frame)
        return _say_proposal(session, path, frame, before, also or {})
    if not tally.is_enough:
        raise authoring.ChangeRefused(
            f"one of these roots has to sign: {', '.join(tally.open)}.\n"
            "  Name its key with --key, or write a proposal for it to sign elsewhere with --out FILE"
        )
    keys.accept(frame, fresh)
    return _say_accepted(session, keys, also or {})


def _signed(frame: Frame, signer: Signer) -> Frame:
    try:
        return authoring.countersigned(frame, signer)
    except SigningFailed as error:
        raise authoring.ChangeRefused(str(error)) from error


def propose(session: Session[ProposeOptions]) -> int:
    """Write several changes as one proposal."""
    given = session.options
    with refusals(session):
        keys = opened(session)
        document = keys.trust.document
        for one in given.revoke or ():
            document = authoring.revoked(document, one)
        if given.add_root or given.remove_root or given.threshold:
            document = authoring.with_roots(
                document, given.add_root or (), given.remove_root or (), given.threshold
            )
        if given.name:
            document = replace(document, name=given.name)
        return change(session, keys, document, [])


def sign(session: Session[SignOptions]) -> int:
    """Add a root's signature to a proposal."""
    given = session.options
    path = Path(given.file)
    with refusals(session):
        frame = _read(path)
        document = authoring.proposed(frame)
        if not session.screen.as_json:
            written(session, document)
        agree(session, [f"{given.file} gets a signature under all of this."])
        before = frame
        known = _in_force(session, document.fleet_id)
        for signer in signers(None, given.key, given.passphrase_file):
            allowed = authoring.root_ids(document) + (authoring.root_ids(known) if known else ())
            if known is not None and signer.key_id not in allowed:
                raise authoring.ChangeRefused(f"{signer.key_id} is a root neither before nor after")
            frame = _signed(frame, signer)
        if frame is before:
            session.screen.note("It was signed by this key already.")
        _write(path, frame)
        return _say_proposal(session, path, frame, known)


def accept(session: Session[AcceptOptions]) -> int:
    """Put a proposal in force."""
    path = Path(session.options.file)
    with refusals(session):
        keys = opened(session)
        frame = _read(path)
        tally = authoring.tally(frame, keys.trust.document)
        if not tally.is_enough:
            raise authoring.ChangeRefused(
                f"signatures are missing; one of these has to sign: {', '.join(tally.open)}"
            )
        agree(session, differences(keys.trust.document, authoring.proposed(frame)))
        keys.accept(frame)
    return _say_accepted(session, keys)


def _in_force(session: "Session[Any]", fleet_id: str) -> TrustDocument | None:
    """Return the document of this fleet in force here; None where there is none, as on a machine of a root's holder."""
    if not keys_directory(session).is_dir():
        return None
    document = opened(session).trust.document
    return document if document.fleet_id == fleet_id else None


def _read(path: Path) -> Frame:
    try:
        with path.open("rb") as file:
            return frame_from(file.read(FRAME_LIMIT))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {error.strerror or error}") from error
    except EnvelopeInvalid as error:
        raise authoring.ChangeRefused(f"{path} is no proposal: {error}") from error


def _write(path: Path, frame: Frame) -> None:
    try:
        with files.writing_whole(path) as file:
            file.write(framed(frame))
    except OSError as error:
        raise Stop(Exit.FAILED, f"{path} cannot be written: {error.strerror or error}") from error


def _say_proposal(
    session: "Session[Any]",
    path: Path,
    frame: Frame,
    before: TrustDocument | None,
    also: Mapping[str, object] = MappingProxyType({}),
) -> int:
    tally = authoring.tally(frame, before)
    if session.screen.as_json:
        said = {"file": str(path), "signed": tally.signed, "missing": tally.open, "enough": tally.is_enough}
        session.screen.data({**said, **also})
        return Exit.OK
    session.screen.line(f"{path} is signed by {', '.join(tally.signed) or 'nobody yet'}.")
    if tally.is_enough and before is not None:
        session.screen.note(f"That is enough. On the controller's machine: archipel fleet keys accept {path}")
    elif tally.open:
        session.screen.note(f"One of these has to sign: {', '.join(tally.open)}")
        session.screen.note(f"Where that key lies: archipel fleet keys sign {path} --key FILE")
    else:
        session.screen.note("Bring it back to the controller's machine, which knows whether that is enough.")
    return Exit.OK


def _say_accepted(
    session: "Session[Any]", keys: FleetKeys, also: Mapping[str, object] = MappingProxyType({})
) -> int:
    document = keys.trust.document
    if session.screen.as_json:
        session.screen.data({**described(document, tuple(one.key_id for one in keys.roots)), **also})
    else:
        session.screen.line(f"Version {document.version} of the trust document is in force.")
        session.screen.note("A running controller takes it in by itself; each device at its next contact.")
    return Exit.OK
