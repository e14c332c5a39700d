"""Ports that answer with given texts: commands that print, a k3s with a log, an API with objects."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from archipel_agent.k3s.kubewatch import NoWatch
from archipel_agent.ports import CommandFailed, KubeReply, KubeWatch, UnitSpec
from archipel_contract.status import K3sStatus
from tests.fakes.processes import ScriptedRunner


class PrintingRunner(ScriptedRunner):
    """Every command of `prints` is installed; the one whose words begin so prints that text."""

    def __init__(self, prints: Mapping[str, str]) -> None:
        super().__init__(self._print)
        self._prints = prints

    def _print(self, words: tuple[str, ...]) -> str:
        line = " ".join((Path(words[0]).name, *words[1:]))
        best = max((start for start in self._prints if line.startswith(start)), key=len, default=None)
        if best is None:
            raise CommandFailed(f"{words[0]} cannot be started: No such file or directory")
        return self._prints[best]

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        found = any(start.split()[0] == command for start in self._prints)
        return Path("/usr/bin") / command if found else None


class LoggingK3sHost:
    """A k3s of which only the log is known."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = tuple(lines)

    def log(self, lines: int) -> tuple[str, ...]:
        """See ports.K3sHost."""
        return self._lines[-lines:]

    def version_text(self, binary: Path) -> str:
        """See ports.K3sHost."""
        raise CommandFailed(f"{binary} cannot be started: No such file or directory")

    def unpack(self, binary: Path) -> bool:
        """See ports.K3sHost."""
        raise CommandFailed("this k3s only has a log")

    def install_service(self, spec: UnitSpec) -> None:
        """See ports.K3sHost."""
        raise CommandFailed("this k3s only has a log")

    def service_installed(self, spec: UnitSpec) -> bool:
        """See ports.K3sHost."""
        return False

    def remove_service(self) -> None:
        """See ports.K3sHost."""
        raise CommandFailed("this k3s only has a log")

    def start(self) -> None:
        """See ports.K3sHost."""
        raise CommandFailed("this k3s only has a log")

    def stop(self) -> None:
        """See ports.K3sHost."""
        raise CommandFailed("this k3s only has a log")

    def stop_pods(self) -> None:
        """See ports.K3sHost."""
        raise CommandFailed("this k3s only has a log")

    def status(self) -> K3sStatus:
        """See ports.K3sHost."""
        return K3sStatus()

    def leftovers(self) -> tuple[str, ...]:
        """See ports.K3sHost."""
        return ()


class AnsweringKubeApi:
    """An API that answers GET for the given paths, and nobody for the others."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self._answers = answers

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """See ports.KubeApi."""
        answer = self._answers.get(path.split("?")[0]) if method == "GET" else None
        if answer is None:
            return KubeReply(status=0, body=b"connection refused")
        return KubeReply(status=200, body=answer)

    def watch(self, path: str) -> KubeWatch:
        """See ports.KubeApi: it tells nothing unasked."""
        return NoWatch()

    def close(self) -> None:
        """See ports.KubeApi."""
