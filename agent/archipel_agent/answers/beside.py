"""Writes back to where an answer file lies: its secrets are blanked, and the result is laid beside it.

Each file is written anew, flushed and renamed, which FAT takes as well as any other. A medium that takes nothing is a
finding and no more: what was to be done has been done.
"""

import errno
from pathlib import Path

from archipel_agent.answers import reading, result
from archipel_agent.answers.parts import Parts
from archipel_agent.answers.text import MOST
from archipel_agent.ports import CommandFailed
from archipel_contract.answers import RESULT_JSON, RESULT_TEXT, AnswersStatus
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

MODE = 0o644
SECRET_MODE = 0o600
SIGNS = ((errno.EROFS, "read-only file system"), (errno.ENOSPC, "no space left"))
CODES = {errno.EROFS: "answers-read-only", errno.ENOSPC: "answers-place-full"}


def blank(parts: Parts, path: Path, known: tuple[str, ...]) -> tuple[str, Finding | None]:
    """Blank the secrets of the file, if its digest is a known one; return the digest it then has, empty if it is another
    file or none, and why it stayed as it was.
    """
    disk = parts.ports.disk
    try:
        mark = parts.media.mark(path)
        data = disk.read(path) if mark is not None and mark[0] <= MOST else b""
        if mark is None or reading.digest(data) not in known:
            return "", None  # gone, or changed meanwhile: the next look sees to it
        before = reading.read(str(path), data)
        if not before.secrets:
            return before.sha256, None
        after = before.blanked(parts.time().date())
        disk.write(path, after, disk.mode(path) or SECRET_MODE, wipes=True)
    except (OSError, CommandFailed) as error:
        return "", unwritten(path.parent, error)
    return reading.digest(after), None


def lay(parts: Parts, directory: Path, status: AnswersStatus, language: str) -> Finding | None:
    """Lay the result into a directory, unless it lies there already; return why not, if so."""
    files = {
        RESULT_TEXT: result.as_text(status, language, parts.host).encode(),
        RESULT_JSON: result.as_json(status, parts.host),
    }
    disk = parts.ports.disk
    try:
        for name, data in files.items():
            path = directory / name
            if not disk.exists(path) or disk.read(path) != data:
                disk.write(path, data, MODE)
    except (OSError, CommandFailed) as error:
        return unwritten(directory, error)
    return None


def unwritten(place: Path, error: OSError | CommandFailed) -> Finding:
    """Return the finding for a write that failed, here or in a transient unit, of which only the words come back."""
    number = error.errno if isinstance(error, OSError) else None
    said = str(error).lower()
    number = number if number in CODES else next((one for one, sign in SIGNS if sign in said), None)
    if number is not None:
        return finding(CODES[number], place=str(place))
    problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return finding("answers-not-written", place=str(place), problem=problem[:200])
