"""Backups on an SFTP server, by the OpenSSH client in batch mode: nothing is asked, only the pinned host key is accepted."""

import re
from pathlib import Path

from archipel_agent.backup.targets import Sftp, Stored, TargetFailed, TargetFiles, first_match, patience
from archipel_agent.host import tree
from archipel_agent.ports import CommandFailed, Runner

PART = ".part"
CONNECT_SECONDS = 15
LINE = re.compile(r"-\S{9}\S?\s+\S+\s+\S+\s+\S+\s+(?P<size>\d+)\s.*\s(?P<name>\S+)")
# What OpenSSH's client says (ssh(1), sftp(1)), in small letters. `Failure` is all that a full disk is called in SFTP.
SAID = (
    ("host key verification failed", "backup-target-refused"),
    ("permission denied (", "backup-target-refused"),
    ("too many authentication failures", "backup-target-refused"),
    ("load key", "backup-target-refused"),
    (": failure", "backup-target-full"),
    ("no space left", "backup-target-full"),
    ("quota", "backup-target-full"),
    ("permission denied", "backup-target-refused"),
)


class SftpTarget:
    """Implements BackupTarget."""

    def __init__(self, place: Sftp, files: TargetFiles, runner: Runner) -> None:
        """Keep files at `place`, logging in with the key in `files`."""
        self._place = place
        self._files = files
        self._runner = runner

    def put(self, file: Path, name: str) -> None:
        """See BackupTarget."""
        steps = (f"put {_quoted(file)} {name}{PART}", f"rename {name}{PART} {name}")
        self._run(steps, patience(tree.size(file)))

    def get(self, name: str, file: Path) -> None:
        """See BackupTarget."""
        size = next((one.size for one in self.stored() if one.name == name), 0)
        with tree.writing(file):  # root's own before anything is in it
            pass
        self._run((f"get {name} {_quoted(file)}",), patience(size))

    def stored(self) -> tuple[Stored, ...]:
        """See BackupTarget."""
        said = self._run(("ls -ln",), patience(0))
        seen = (LINE.fullmatch(line.strip()) for line in said.splitlines())
        stored = [Stored(name=one["name"], size=int(one["size"])) for one in seen if one]
        return tuple(sorted((one for one in stored if not one.name.endswith(PART)), key=lambda one: one.name))

    def delete(self, name: str) -> None:
        """See BackupTarget."""
        self._run((f"-rm {name}", f"-rm {name}{PART}"), patience(0))

    def _run(self, steps: tuple[str, ...], timeout: float) -> str:
        batch = "\n".join((f"cd {_quoted(self._place.path)}", *steps, "")).encode()
        try:
            return self._runner.run(self._argv(), stdin=batch, timeout=timeout).stdout
        except CommandFailed as error:
            problem = _last(error.stderr) or str(error)
            code = first_match(error.stderr or str(error), SAID) or "backup-target-away"
            raise TargetFailed(code, problem) from error

    def _argv(self) -> list[str]:
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._files.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "IdentityFile": str(self._files.ssh_key),
            "IdentitiesOnly": "yes",
            "ConnectTimeout": str(CONNECT_SECONDS),
            "ServerAliveInterval": str(CONNECT_SECONDS),
            "Port": str(self._place.port),
        }
        words = [f"-o{name}={value}" for name, value in options.items()]
        return ["sftp", "-F", "/dev/null", "-b", "-", *words, f"{self._place.user}@{self._place.host}"]


def _quoted(path: Path | str) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _last(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("Connection closed", "@", "sftp>"))]
    return (useful or lines or [""])[-1][:300]
