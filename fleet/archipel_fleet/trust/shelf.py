"""The directory of the fleet's keys: one file for each private key, and one for every version of the trust document.

    k-<id>.key           a private key (PKCS#8 PEM, 0600), named by its key id; what it is for is said by the trust document
    trust-000001.frame   the exact bytes the roots signed, every version
    tls/                 see `server`

A version of the trust document is in force once its file is there; the keys it needs are put before it. So a death at any
instant leaves the version before or the one after, never parts of both. Called by `keyring` only.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from archipel_contract.link.envelope import FRAME_LIMIT, EnvelopeInvalid, Frame, frame_from, framed
from archipel_contract.trust.keys import KeyInvalid, PrivateKey, from_pem, public_of, to_pem
from archipel_contract.trust.store import TrustStore
from archipel_fleet.host import files
from archipel_fleet.trust.refusal import KeysRefused

_VERSION = re.compile(r"trust-(\d{6,})\.frame")


class Shelf:
    """The directory, read and written. Every call may raise KeysRefused; what it names is the file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def is_made(self) -> bool:
        """Whether there are keys: the directory appears whole (see `make`)."""
        return self.directory.is_dir() and any(self.directory.iterdir())

    def make(self, keys: Iterable[PrivateKey], frame: Frame) -> None:
        """Make the directory with everything in it, at one stroke: it is filled under another name and then renamed.

        What an attempt before left unfinished is thrown away; nothing of it was ever in use. Raises OSError.
        """
        unfinished = Shelf(self.directory.with_name(f"{self.directory.name}.new"))
        files.make_private(self.directory.parent)
        files.remove_directory(unfinished.directory)
        files.make_private(unfinished.directory)
        for key in keys:
            unfinished.put_key(key)
        unfinished.put_frame(1, frame)
        files.own_like(unfinished.directory, self.directory.parent)
        if not files.rename(unfinished.directory, self.directory):
            raise FileNotFoundError(unfinished.directory)

    def stamp(self) -> tuple[tuple[str, int], ...]:
        """Return what changes when a key or a version of the trust document comes or goes. Raises OSError."""
        found = [path for path in self.directory.iterdir() if path.suffix in (".key", ".frame")]
        return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in found))

    # --- private keys ------------------------------------------------------------------------------------------------

    def path_of(self, key_id: str) -> Path:
        """Return where a private key lies, if it does."""
        return self.directory / f"{key_id}.key"

    def key(self, key_id: str) -> PrivateKey | None:
        """Return a private key; None if it does not lie here."""
        path = self.path_of(key_id)
        try:
            key = from_pem(path.read_bytes())
        except FileNotFoundError:
            return None
        except (KeyInvalid, OSError) as error:
            raise KeysRefused("fleet-keys-damaged", _reason(error), file=str(path)) from error
        if public_of(key).key_id != key_id:
            raise KeysRefused(
                "fleet-keys-damaged", "it holds another key than it is named by", file=str(path)
            )
        return key

    def put_key(self, key: PrivateKey) -> str:
        """Keep a private key; return its id. Raises OSError."""
        key_id = public_of(key).key_id
        files.write_private(self.path_of(key_id), to_pem(key).decode())
        files.own_like(self.path_of(key_id), self.directory.parent)
        files.flush_directory(self.directory)
        return key_id

    def forget_key(self, key_id: str) -> None:
        """Remove a private key. Raises OSError."""
        files.remove(self.path_of(key_id))
        files.flush_directory(self.directory)

    def close_to_others(self) -> tuple[str, ...]:
        """Take from other users of this machine what they may do here; return the names of what was open to them."""
        found = [
            self.directory,
            *sorted(self.directory.glob("*.key")),
            *sorted(self.directory.glob("tls/*.key")),
        ]
        try:
            return tuple(path.name for path in found if files.close_to_others(path))
        except OSError as error:
            detail = f"others may read it, and that cannot be changed: {_reason(error)}"
            raise KeysRefused("fleet-keys-damaged", detail, file=str(error.filename)) from error

    # --- the trust document ------------------------------------------------------------------------------------------

    def put_frame(self, version: int, frame: Frame) -> None:
        """Keep a version of the trust document: from here on it is in force. Raises OSError."""
        path = self.directory / f"trust-{version:06d}.frame"
        with files.writing_whole(path) as file:
            file.write(framed(frame))
        files.own_like(path, self.directory.parent)

    def chain(self) -> tuple[TrustStore, tuple[tuple[int, Frame], ...]]:
        """Return what is trusted, and every version with its number, oldest first; each is verified by the one before."""
        found = sorted(
            (int(match[1]), path)
            for path in self.directory.iterdir()
            if (match := _VERSION.fullmatch(path.name))
        )
        store, frames = None, []
        for version, path in found:
            frames.append((version, _frame(path)))
            store = _followed(store, path, frames[-1][1])
            if store.document.version != version:
                detail = f"it holds version {store.document.version}"
                raise KeysRefused("fleet-keys-damaged", detail, file=str(path))
        if store is None:
            detail = "there is no version of the trust document in it"
            raise KeysRefused("fleet-keys-damaged", detail, file=str(self.directory))
        return store, tuple(frames)


def _frame(path: Path) -> Frame:
    try:
        data = path.read_bytes()
        if len(data) > FRAME_LIMIT:
            raise EnvelopeInvalid("message-oversized", f"it has {len(data)} bytes")
        return frame_from(data)
    except (EnvelopeInvalid, OSError) as error:
        raise KeysRefused("fleet-keys-damaged", _reason(error), file=str(path)) from error


def _followed(before: TrustStore | None, path: Path, frame: Frame) -> TrustStore:
    try:
        return TrustStore.first(frame) if before is None else before.after(frame)
    except EnvelopeInvalid as error:
        raise KeysRefused("fleet-trust-refused", str(error), file=str(path)) from error


def _reason(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
