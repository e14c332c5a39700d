"""The words of `archipel bundle` for who makes bundles: `build`, and `key new`. They need no agent and no root."""

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.cli import command
from archipel_agent.cli.bundle_looking import Words, refuse
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark, size
from archipel_contract.exits import Exit

if TYPE_CHECKING:
    from archipel_agent.bundles.building import Ingredient, Recipe
    from archipel_contract.bundle.format import Manifest
    from archipel_contract.trust.minisign import MinisignSigner

EPOCH = "SOURCE_DATE_EPOCH"  # reproducible-builds.org/specs/source-date-epoch
# option -> (kind, what for)
SOURCES = {
    "k3s_images": ("k3s-images", "image archive that k3s itself needs, or a directory of them"),
    "images": ("images", "image archive of your own pods, or a directory of them"),
    "wheels": ("wheels", "directory of wheels of the agent"),
    "manifests": ("manifests", "object of Kubernetes (YAML), or a directory of them"),
    "licences": ("licences", "licence text, or a directory of them"),
    "notes": ("notes", "release notes"),
}
SECRET, PUBLIC = 0o600, 0o644


def add_words(words: Words) -> None:
    """Add the parsers."""
    build = words.add_parser("build", help="make a bundle of files and sign it", allow_abbrev=False)
    build.add_argument("--k3s", metavar="FILE", help="the k3s program")
    build.add_argument(
        "--k3s-version", default="", metavar="VERSION", help="its version, such as v1.36.3+k3s1"
    )
    for option, (_, what) in SOURCES.items():
        build.add_argument(
            f"--{option.replace('_', '-')}", action="append", default=[], metavar="PATH", help=what
        )
    build.add_argument(
        "--architecture", choices=("x86_64", "aarch64"), help="of the machines (default: that of this one)"
    )
    build.add_argument(
        "--sequence", type=_count, metavar="N", help="must grow from bundle to bundle (default: the time)"
    )
    build.add_argument("--since", metavar="FILE", help="leave out what this older bundle holds")
    build.add_argument("--needs", metavar="VERSION", help="least version of Archipel that can use it")
    build.add_argument("--key", required=True, metavar="FILE", help="private key of minisign to sign with")
    build.add_argument("-o", "--output", required=True, metavar="FILE", help="where to write it")
    command.common(build)
    key = words.add_parser("key", help="make a key to sign bundles with", allow_abbrev=False)
    key.add_argument("action", choices=("new",), help="new: make one")
    key.add_argument(
        "file", metavar="FILE", help="the private key; its public half is written beside it, with .pub"
    )
    command.common(key)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 53):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _build(session: Session) -> int:
    from archipel_agent.host.disk import SystemDisk
    from archipel_contract.bundle.format import SUFFIX, BundleRefused

    target = Path(session.options.output).absolute()
    if not target.name.endswith(SUFFIX):
        raise Stop(Exit.USAGE, f"--output: the name of a bundle ends with {SUFFIX}")
    signer = _signer(Path(session.options.key))
    try:
        from archipel_agent.bundles.building import build

        manifest = build(SystemDisk(), target, _recipe(session), signer)
    except BundleRefused as refused:
        return refuse(session, refused)
    except OSError as error:
        raise Stop(Exit.FAILED, f"the bundle could not be written: {error}") from error
    except ModuleNotFoundError as error:
        raise Stop(Exit.USAGE, f"{error}. Install it with: pip install 'archipel[agent,bundle]'") from error
    if session.screen.as_json:
        session.screen.data({"path": str(target), "manifest": manifest})
        return Exit.OK
    written = size(target.stat().st_size)
    mark = session.screen.mark(Mark.GOOD)
    session.screen.line(
        f"{mark} {target}: {manifest.id}, sequence {manifest.sequence}, {len(manifest.files)} files, {written}"
    )
    return Exit.OK


def _recipe(session: Session) -> "Recipe":
    from archipel_agent.bundles import building

    given = session.options
    since, created = _since(given.since), _created(session)
    found = building.with_version(_ingredients(session), given.k3s_version)
    if not found:
        raise Stop(Exit.USAGE, "say what goes in: --k3s, --images, --wheels, --manifests...")
    return building.Recipe(
        architecture=given.architecture or os.uname().machine,
        created=created,
        sequence=given.sequence or building.numbered(since, created),
        ingredients=found,
        needs={"archipel": given.needs} if given.needs else {},
        since=since,
    )


def _ingredients(session: Session) -> "tuple[Ingredient, ...]":
    from archipel_agent.bundles import building
    from archipel_agent.host.disk import SystemDisk
    from archipel_contract.bundle.format import Kind

    disk = SystemDisk()
    found: list[Ingredient] = []
    if session.options.k3s:
        found += building.gathered(disk, Path(session.options.k3s), Kind.K3S)
    for option, (kind, _) in SOURCES.items():
        for path in getattr(session.options, option):
            found += building.gathered(disk, Path(path), Kind(kind))
    return tuple(found)


def _since(text: str | None) -> "Manifest | None":
    """Return the manifest of the older bundle; whoever builds on it answers for it, so its signature is not asked for."""
    if text is None:
        return None
    from archipel_agent.bundles.opening import open_file
    from archipel_agent.host.disk import SystemDisk

    return open_file(SystemDisk(), Path(text).absolute(), lambda body, signature: "").manifest


def _created(session: Session) -> datetime:
    said = os.environ.get(EPOCH, "")
    if not said:
        return session.clock.now().replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(said), UTC)
    except (ValueError, OverflowError, OSError):
        raise Stop(Exit.USAGE, f"{EPOCH} is {said!r}, which is no number of seconds") from None


def _signer(path: Path) -> "MinisignSigner":
    from archipel_contract.trust import minisign
    from archipel_contract.trust.keys import KeyInvalid

    try:
        text = path.read_bytes()
        try:
            return minisign.signer(text)
        except minisign.PasswordNeeded:
            from getpass import getpass

            return minisign.signer(text, getpass(f"Password of {path}: ").encode())
    except (KeyInvalid, OSError) as error:
        raise Stop(Exit.USAGE, f"--key: {path} cannot be used: {error}") from error


def _key(session: Session) -> int:
    import secrets

    from archipel_agent.host.disk import SystemDisk
    from archipel_contract.trust import minisign

    disk, path = SystemDisk(), Path(session.options.file).absolute()
    public = path.with_name(path.name + ".pub")
    for one in (path, public):
        if disk.exists(one):
            raise Stop(Exit.REFUSED, f"{one} is there already; a key is never replaced")
    made = minisign.new_signer(secrets.token_bytes(40))
    try:
        disk.write(path, made.secret_text(), SECRET)
        disk.write(public, minisign.public_text(made.public), PUBLIC)
    except OSError as error:
        raise Stop(Exit.FAILED, f"the key could not be written: {error}") from error
    if session.screen.as_json:
        session.screen.data(
            {"private": str(path), "public": str(public), "id": made.public.id, "key": str(made.public.key)}
        )
        return Exit.OK
    screen = session.screen
    screen.line(f"{screen.mark(Mark.GOOD)} {path} signs; keep it secret. {public} goes to the machines:")
    screen.line(f"  sudo install -D -m 644 {public} /etc/archipel/bundle-keys/{public.name}")
    screen.line("Machines of a fleet know it by themselves once its controller has let it sign bundles:")
    screen.line(f"  archipel fleet keys delegate {public} --name NAME --may bundle")
    return Exit.OK


WORDS: dict[str, Callable[[Session], int]] = {"build": _build, "key": _key}
