"""The programs k3s has unpacked below its data directory, and whether they are as it unpacked them.

k3s unpacks itself into data/<hash> once and believes it from then on; `bin/.sha256sums` lists what was unpacked. A k3s whose
own part is cut off there ends without a word (seen on v1.36.3), so that only the list tells. Read while k3s keeps ending,
and by the repair; it takes a few seconds on a slow card.
"""

import re
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Files

_HASH = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"([0-9a-f]{64})  (?:\./)?(\S+)")
LIST = "bin/.sha256sums"


def unpacked(disk: Files, paths: Paths) -> tuple[Path, ...]:
    """Return the directories with programs of k3s, of present and earlier versions."""
    place = paths.k3s_data / "data"
    return tuple(place / name for name in disk.names(place) if _HASH.fullmatch(name))


def broken_programs(disk: Files, directory: Path) -> tuple[Path, ...]:
    """Return what in one of them is not as listed; the list itself where it cannot be read or lists nothing."""
    try:
        listed = _LINE.findall(disk.read(directory / LIST).decode())
    except (OSError, UnicodeDecodeError):
        return (directory / LIST,)
    if not listed:
        return (directory / LIST,)
    return tuple(
        directory / "bin" / name for digest, name in listed if not _is(disk, directory / "bin" / name, digest)
    )


def _is(disk: Files, path: Path, digest: str) -> bool:
    try:
        return disk.sha256(path) == digest
    except OSError:
        return False
