"""A Runner that starts nothing: answers every command with the same words, and remembers what it was asked."""

from collections.abc import Sequence
from pathlib import Path

from archipel_agent.ports import CommandFailed, Completed, Disk


class ScriptedRunner:
    """Implements the Runner port. With a `disk`, it also keeps what the file in KUBECONFIG held."""

    def __init__(self, answer: str | CommandFailed, disk: Disk | None = None) -> None:
        self._answer = answer
        self.disk = disk
        self.calls: list[tuple[tuple[str, ...], dict[str, str]]] = []
        self.seen: list[bytes] = []

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
        return Completed(argv=words, code=0, stdout=self._answer, stderr="")

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        return None
