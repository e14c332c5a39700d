"""The words of `archipel bundle` that only look: verify, show, list. They need no agent."""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark, size
from archipel_contract.catalogue import finding
from archipel_contract.exits import Exit

if TYPE_CHECKING:
    from archipel_agent.bundles.opening import Found
    from archipel_contract.bundle.format import BundleRefused, Manifest

NOT_VERIFIED = "not verified: its key is not known here"


class Words(Protocol):
    """Where words below a command are added; argparse has no public name for it."""

    def add_parser(self, name: str, *, help: str, allow_abbrev: bool) -> argparse.ArgumentParser:
        """Add one and return its parser."""
        ...


def add_words(words: Words) -> None:
    """Add the parsers."""
    verify = words.add_parser(
        "verify", help="check a bundle to its last byte: signature and every content", allow_abbrev=False
    )
    show = words.add_parser("show", help="what a bundle holds", allow_abbrev=False)
    for one in (verify, show):
        one.add_argument("file", metavar="FILE", help="the bundle")
        one.add_argument(
            "--key",
            action="append",
            default=[],
            metavar="FILE",
            help="public key to trust (default: those of this machine)",
        )
    held = words.add_parser("list", help="the bundles this machine holds", allow_abbrev=False)
    for one in (verify, show, held):
        command.common(one)


def _verify(session: Session) -> int:
    from archipel_agent.bundles.importing import verified
    from archipel_agent.host.disk import SystemDisk
    from archipel_contract.bundle.format import BundleRefused

    disk = SystemDisk()
    try:
        found = _opened(session)
        for one in found.manifest.files:
            span = found.opened.blobs.get(one.sha256)
            if span is not None:
                for _ in verified(disk, found.path, span, one):
                    pass
    except BundleRefused as refused:
        return refuse(session, refused)
    absent = _absent(found)
    if session.screen.as_json:
        session.screen.data(
            {
                "path": str(found.path),
                "signer": found.opened.signer,
                "manifest": found.manifest,
                "absent": absent,
            }
        )
        return Exit.OK
    session.screen.line(
        f"{session.screen.mark(Mark.GOOD)} {found.path} is whole, signed by {found.opened.signer}."
    )
    if absent:
        session.screen.line(f"  It builds on {found.manifest.since}: {len(absent)} contents are not in it.")
    return Exit.OK


def _show(session: Session) -> int:
    from archipel_contract.bundle.format import BundleRefused

    signer = ""
    try:
        found = _opened(session)
        signer = found.opened.signer
    except BundleRefused as refused:
        if refused.code != "bundle-untrusted":
            return refuse(session, refused)
        found = _opened(session, verify=lambda body, signature: "")
    if session.screen.as_json:
        session.screen.data(
            {"path": str(found.path), "signer": signer, "manifest": found.manifest, "absent": _absent(found)}
        )
        return Exit.OK
    _tell(session, found.manifest)
    screen = session.screen
    screen.line(f"  signed by {signer}" if signer else f"{screen.mark(Mark.WARN)} {NOT_VERIFIED}")
    absent = set(_absent(found))
    rows = [
        [one.kind, one.name, size(one.size), "not in it" if one.name in absent else ""]
        for one in found.manifest.files
    ]
    screen.table([[str(cell) for cell in row] for row in rows])
    for remark in found.manifest.remarks():
        screen.line(f"{screen.mark(Mark.WARN)} {remark}")
    return Exit.OK


def _list(session: Session) -> int:
    from archipel_agent.bundles.store import BundleStore
    from archipel_agent.host.disk import SystemDisk

    store = BundleStore(SystemDisk(), session.paths)
    try:
        held = store.held()
    except PermissionError:
        raise Stop(Exit.NOT_PERMITTED, f"{store.place} belongs to root. Use sudo.") from None
    if session.screen.as_json:
        session.screen.data({"bundles": held})
        return Exit.OK
    for one in held:
        _tell(session, one)
        if not store.is_whole(one):
            session.screen.line(
                f"{session.screen.mark(Mark.BAD)} some of its contents are missing; import it again"
            )
    if not held:
        session.screen.note("This machine holds no bundle. Take one with: sudo archipel bundle import FILE")
    return Exit.OK


def _tell(session: Session, manifest: "Manifest") -> None:
    k3s = next((one.version for one in manifest.files if one.version), "")
    parts = [
        f"sequence {manifest.sequence}",
        manifest.architecture,
        f"made {manifest.created}",
        size(manifest.size),
    ]
    parts += [f"k3s {k3s}"] if k3s else []
    parts += [f"builds on {manifest.since}"] if manifest.since else []
    session.screen.line(f"{manifest.id}  {', '.join(parts)}")


def _opened(session: Session, verify: "Callable[[bytes, bytes], str] | None" = None) -> "Found":
    from archipel_agent.bundles import keys, opening
    from archipel_agent.host.disk import SystemDisk
    from archipel_contract.trust.keys import KeyInvalid

    disk = SystemDisk()
    path = Path(session.options.file).absolute()
    if verify is None:
        given = tuple(Path(one).absolute() for one in session.options.key)
        try:
            ring = keys.of_files(disk, given) if given else keys.keyring(disk, session.paths, _floor(session))
        except (KeyInvalid, OSError) as error:
            raise Stop(Exit.USAGE, f"--key: {error}") from error
        verify = ring.verify
    return opening.open_file(disk, path, verify)


def _floor(session: Session) -> int:
    """Return a time that is surely past, in milliseconds since 1970 UTC, as the agent knows it; for whoever may not read
    what the agent keeps, the day this version was released.
    """
    from archipel_agent import clocks
    from archipel_agent.state.database import Database, StateUnusable
    from archipel_agent.state.store import Store

    store: Store | None = None
    with contextlib.suppress(StateUnusable, OSError):
        store = Store(Database.copy_of(session.paths.database))
    return int(clocks.floor(store).timestamp() * 1000)


def _absent(found: "Found") -> list[str]:
    return [one.name for one in found.manifest.files if one.sha256 not in found.opened.blobs]


def refuse(session: Session, refused: "BundleRefused") -> Exit:
    """Show why a bundle is not used, as the agent would."""
    asked = getattr(session.options, "file", "") or getattr(session.options, "output", "") or ""
    named = {"path": asked, "problem": refused.detail, **refused.params}
    shown = finding(refused.code, (refused.detail,), None, **named)
    if session.screen.as_json:
        session.screen.data({"finding": shown})
    session.screen.remark(shown)
    return Exit.NOT_OK


WORDS: dict[str, Callable[[Session], int]] = {"verify": _verify, "show": _show, "list": _list}
