"""Where backups go: one port for a directory, SFTP and S3, and the text of the setting that names one.

Only sealed files pass here. A file is at the target whole or not at all; a put that was cut off is simply repeated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

SLOWEST = 20_000  # bytes a second of a line that still counts as one
PATIENCE_SECONDS = 120.0


class TargetFailed(Exception):
    """The target could not do it; `code` is the finding: backup-target-away, backup-target-full, backup-target-refused,
    backup-file-too-large."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code = code


class TargetInvalid(ValueError):
    """A text names no target; the message says what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file at a target."""

    name: str
    size: int


class BackupTarget(Protocol):
    """A place for sealed files, all in one directory. Every method raises TargetFailed, and OSError for our own disk."""

    def require(self, size: int) -> None:
        """Raise TargetFailed where a file of `size` bytes certainly cannot lie; nothing where it can, or nobody knows.

        Asked again and again while a backup grows, so that nobody waits hours for one that has no place.
        """
        ...

    def put(self, file: Path, name: str) -> None:
        """Bring a file there; under `name` it is whole or not there. One of that name is replaced."""
        ...

    def get(self, name: str, file: Path) -> None:
        """Write it to `file`, which root alone may read."""
        ...

    def part(self, name: str, begin: int, length: int, file: Path) -> int:
        """Write `length` of its bytes, from `begin` on, to `file`, which root alone may read; return where in `file` they
        stand, at its end. Fewer may come, but one at least."""
        ...

    def stored(self) -> tuple[Stored, ...]:
        """Return what is there, sorted by name; half-written files are not among it."""
        ...

    def delete(self, name: str) -> None:
        """Remove it; nothing happens if it is not there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sftp:
    """Where to reach an SFTP server. The files are those of `TargetFiles`."""

    user: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A place in an S3 store; where that is and the keys stand in a file of their own."""

    name: str
    prefix: str  # empty, or with a slash at its end


@dataclass(frozen=True, slots=True)
class TargetFiles:
    """What a target needs besides its name, all below the directory of the settings and readable by root alone."""

    settings: Path

    @property
    def ssh_key(self) -> Path:
        """The private key for SFTP."""
        return self.settings / "backup_ssh_key"

    @property
    def known_hosts(self) -> Path:
        """The SFTP server's host key, in the form of known_hosts(5): no other server is spoken to."""
        return self.settings / "backup_known_hosts"

    @property
    def s3(self) -> Path:
        """endpoint, region, access_key and secret_key of the S3 store."""
        return self.settings / "backup-s3.toml"


HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\]")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+/)*")
EXAMPLES = "/media/usb/backups, sftp://user@host/directory or s3://bucket/place"


def parse(text: str) -> Path | Sftp | Bucket:
    """Return what the setting `backup_to` names; raise TargetInvalid."""
    if text.startswith("/"):
        return Path(text)
    try:
        parts = urlsplit(text)
        port = parts.port or 22
    except ValueError as error:
        raise TargetInvalid(f"{text!r} is no place: {error}") from error
    if parts.scheme == "sftp":
        return _sftp(text, parts.username or "", parts.hostname or "", port, unquote(parts.path))
    if parts.scheme == "s3":
        prefix = parts.path.strip("/") + "/" if parts.path.strip("/") else ""
        if not BUCKET.fullmatch(parts.netloc) or not PREFIX.fullmatch(prefix):
            raise TargetInvalid(f"{text!r} is no place in an S3 store, such as s3://bucket/place")
        return Bucket(name=parts.netloc, prefix=prefix)
    raise TargetInvalid(f"{text!r} is no place for backups; such are {EXAMPLES}")


def _sftp(text: str, user: str, host: str, port: int, path: str) -> Sftp:
    # Each becomes a word of a command, so nothing may look like an option.
    if not USER.fullmatch(user) or not HOST.fullmatch(host) or not path.isprintable() or path in ("", "/"):
        raise TargetInvalid(f"{text!r} is no place such as sftp://user@host/directory")
    return Sftp(user=user, host=host, port=port, path=path)


def too_large(size: int, most: int, where: str) -> TargetFailed:
    """Return the failure for a file larger than a place takes in one."""
    problem = f"it has {size >> 20} MB or more, and {where} takes {most >> 20} MB in one file"
    return TargetFailed("backup-file-too-large", problem)


def patience(size: int) -> float:
    """Return the seconds a transfer of `size` bytes may take."""
    return PATIENCE_SECONDS + size / SLOWEST


def first_match(text: str, table: Sequence[tuple[str, str]]) -> str | None:
    """Return the code of the first row whose words occur in `text`, in small letters; None if none does."""
    small = text.lower()
    return next((code for words, code in table if words in small), None)
