"""The secret recovery key as a command gets it: from a file, or from standard input, never as a word of the command."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from archipel_agent.cli.command import Session, Stop
from archipel_contract.exits import Exit

TYPED_BYTES = 4096


@contextlib.contextmanager
def key_file(session: Session, given: str | None) -> Iterator[Path]:
    """Give the path of a file with the key; what was typed lies in memory's file system for that long. Raises Stop."""
    if given is not None and given != "-":
        path = Path(given).absolute()  # the agent has another working directory
        if not path.is_file():
            raise Stop(Exit.USAGE, f"there is no {path}")
        yield path
        return
    if given is None and not session.interactive:
        raise Stop(Exit.USAGE, "say where the recovery key is: --from-key FILE, or - to type it")
    session.screen.note("Type the recovery key (AGE-SECRET-KEY-1...), then Enter and Ctrl-D:")
    typed = sys.stdin.read(TYPED_BYTES)
    from archipel_agent.host.disk import SystemDisk  # only who types a key needs it

    disk, path = SystemDisk(), session.paths.runtime / "recovery.key"
    try:
        disk.write(path, typed.encode(), 0o600)
        yield path
    except OSError as error:
        raise Stop(Exit.NOT_PERMITTED, f"{path}: {error.strerror}; use sudo") from error
    finally:
        with contextlib.suppress(OSError):
            disk.erase(path)
