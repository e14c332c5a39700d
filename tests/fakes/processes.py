"""A Runner that starts nothing: answers every command as it was told to, and remembers what it was asked."""

from collections.abc import Callable, Sequence
from pathlib import Path

from archipel_agent.ports import CommandFailed, Completed, Disk

Answer = str | CommandFailed | Callable[[tuple[str, ...]], str]
"""What every command prints, how it fails, or what makes either of its words (and may raise CommandFailed)."""


class ScriptedRunner:
    """Implements the Runner port. With a `disk`, it also keeps what the file in KUBECONFIG held."""

    def __init__(self, answer: Answer, disk: Disk | None = None, *, is_installed: bool = False) -> None:
        """`is_installed`: whether every command is there to be found, or none."""
        self._answer, self._is_installed = answer, is_installed
        self.disk = disk
        self.calls: list[tuple[tuple[str, ...], dict[str, str]]] = []
        self.seen: list[bytes] = []

    @property
    def ran(self) -> list[tuple[str, ...]]:
        """The words of every command so far."""
        return [words for words, _ in self.calls]

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 30.0,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        environment: dict[str, str] | None = None,
    ) -> Completed:
        """See ports.Runner."""
        words = tuple(str(word) for word in argv)
        self.calls.append((words, environment or {}))
        if self.disk is not None and environment and "KUBECONFIG" in environment:
            self.seen.append(self.disk.read(Path(environment["KUBECONFIG"])))
        if isinstance(self._answer, CommandFailed):
            raise self._answer
        said = self._answer if isinstance(self._answer, str) else self._answer(words)
        return Completed(argv=words, code=0, stdout=said, stderr="")

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        return Path("/usr/bin") / command if self._is_installed else None
