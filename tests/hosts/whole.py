"""What the halves of a host ask of the whole: its names, its ground, and commands run inside it.

The halves (`files`, `cable`, `offers`, `seen`) begin with it; `host.Host` is the whole.
"""

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tests.hosts import shell
from tests.hosts.ground import Ground
from tests.hosts.lab import Lab


class Whole(abc.ABC):
    """A host as its halves know it."""

    name: str
    lab: Lab
    ground: Ground

    @property
    @abc.abstractmethod
    def leader(self) -> int:
        """Process 1 of the host as this machine numbers it; `RuntimeError` when the host is off."""

    @abc.abstractmethod
    def command(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
        """The argument list by which this machine runs `argv` inside the host, for a terminal or a benchmark.

        The environment inside is small and fixed, plus `env`.
        """

    @abc.abstractmethod
    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        stdin: bytes | Path | None = None,
    ) -> shell.Completed:
        """Run a command inside the host to its end."""

    @abc.abstractmethod
    def put(self, local: Path | bytes, remote: str, mode: int = 0o644) -> None:
        """Bring a file (or these bytes, or a directory with all below it) into the host, owned by root."""

    @abc.abstractmethod
    def layers(self) -> list[tuple[PurePosixPath, Path]]:
        """Where the host's own disk shows: pairs of the path inside and the directory seen from here."""
