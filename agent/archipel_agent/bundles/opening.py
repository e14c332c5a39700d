"""Opens a bundle from a file, or the newest fitting one of a directory such as a stick; verified, nothing copied."""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.ports import Files
from archipel_contract.bundle import reading
from archipel_contract.bundle.format import SUFFIX, BundleRefused, Manifest
from archipel_contract.bundle.reading import Opened, Verify

# What lies beside files on a stick and is none: a Mac's `._NAME` for each file it copied, and our own cut-off writes.
HIDDEN = "."


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle and the file it is in."""

    path: Path
    opened: Opened

    @property
    def manifest(self) -> Manifest:
        """What it says."""
        return self.opened.manifest


def open_file(disk: Files, path: Path, verify: Verify) -> Found:
    """Return the bundle in a file; raise BundleRefused, also where the file cannot be read."""
    try:
        opened = reading.opened(
            lambda offset, length: disk.part(path, offset, length), disk.size(path), verify
        )
    except FileNotFoundError as error:
        raise BundleRefused("bundle-not-found", "there is no such file", path=str(path)) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except BundleRefused as refused:
        raise BundleRefused(
            refused.code, refused.detail, **{"path": str(path), **refused.params}
        ) from refused
    return Found(path, opened)


def open_path(disk: Files, path: Path, verify: Verify, architecture: str) -> Found:
    """Return the bundle in a file, or the one with the highest sequence for this architecture in a directory.

    Raises BundleRefused: of a directory in which none can be used with what is wrong with the first that came nearest.
    """
    names = disk.names(path)
    if not names and path.name.endswith(SUFFIX):
        return open_file(disk, path, verify)
    if not names and disk.exists(path) and _is_file(disk, path):
        return open_file(disk, path, verify)
    found: list[Found] = []
    refusals: list[BundleRefused] = []
    for name in names:
        # FAT tells no capitals from small letters, so neither does who wrote the name.
        if name.lower().endswith(SUFFIX) and not name.startswith(HIDDEN):
            try:
                found.append(open_file(disk, path / name, verify))
            except BundleRefused as refused:
                refusals.append(refused)
    fitting = [one for one in found if one.manifest.architecture == architecture] or found
    if fitting:
        return max(fitting, key=lambda one: one.manifest.sequence)
    if refusals:
        raise refusals[0]
    is_there = bool(names) or disk.exists(path)
    detail = f"nothing in it ends with {SUFFIX}" if is_there else "it is not there"
    raise BundleRefused("bundle-not-found", detail, path=str(path))


def unreadable(path: Path, error: OSError) -> BundleRefused:
    """Return the refusal for a source that cannot be read (a stick that was pulled, a bad block)."""
    return BundleRefused("bundle-unreadable", error.strerror or str(error), path=str(path))


def _is_file(disk: Files, path: Path) -> bool:
    try:
        disk.part(path, 0, 1)
    except IsADirectoryError:
        return False
    except OSError:
        return True  # opening it says what is wrong
    return True
