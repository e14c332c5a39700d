"""The ports to other programs: `Runner` starts one and waits for it, `Privileged` does what the agent's sandbox forbids.

Implemented by `host/run.py` and `host/privileged.py`. What a command says is read and judged by whoever asked for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class CommandFailed(Exception):
    """A command ended badly; the message explains it for people, `code` is None when it never ran or was killed."""

    def __init__(self, message: str, code: int | None = None, stdout: str = "", stderr: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ran to its end; texts are decoded with replacement and redacted by whoever shows them."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class Runner(Protocol):
    """The one door to subprocesses."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 30.0,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        environment: dict[str, str] | None = None,
    ) -> Completed:
        """Run argv, its environment clean; raise CommandFailed if it is missing, killed in time, or its code not in `ok`."""
        ...

    def find(self, command: str) -> Path | None:
        """Return where `command` is on the administrator's PATH."""
        ...


class Privileged(Protocol):
    """Does what the sandboxed agent may not do itself; `host/privileged.py` has the table of verbs."""

    def call(self, verb: str, **parameters: str) -> None:
        """Do it; raise CommandFailed or OSError."""
        ...
