"""Backups on an SFTP server, by the OpenSSH client in batch mode: nothing is asked, only the pinned host key is accepted."""

import contextlib
import re
import signal
from pathlib import Path

from archipel_agent.backup.manifest import is_left_behind
from archipel_agent.backup.targets import Sftp, Stored, TargetFailed, TargetFiles, first_match, patience
from archipel_agent.host import tree
from archipel_agent.ports import CommandFailed, Runner

PART = ".part"
LIST = "ls -ln"
CONNECT_SECONDS = 15
SFTP_BYTES = 32 << 10  # what the client asks for at once (sftp(1), -B)
FEW = 8  # requests under way at once while little is wanted, instead of 64
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

    def require(self, size: int) -> None:
        """See BackupTarget: only the server knows, and it says so when it is full."""

    def put(self, file: Path, name: str) -> None:
        """See BackupTarget."""
        try:
            self._put(file, name)
        except TargetFailed as failed:
            if failed.code != "backup-target-full" or not self._sweep(self._listed(), name):
                raise
            self._put(file, name)  # it was full of what cuts had left

    def get(self, name: str, file: Path) -> None:
        """See BackupTarget."""
        size = next((one.size for one in self.stored() if one.name == name), 0)
        with tree.writing(file):  # root's own before anything is in it
            pass
        self._run((f"get {name} {_quoted(file)}",), patience(size))

    def part(self, name: str, begin: int, length: int, file: Path) -> int:
        """See BackupTarget.

        The client knows no ranges, but goes on with a file that has begun: it is given one that begins with a hole, and the
        kernel ends it at the first byte behind the part. What a server sent out of order leaves a hole, and counts up to it.
        """
        tree.hollow(file, begin)
        limits = ("prlimit", f"--fsize={begin + length}", "--core=0")
        few = ("-R", str(FEW)) if length <= FEW * SFTP_BYTES else ()
        self._run((f"get -a {name} {_quoted(file)}",), patience(length), (*limits, *self._argv(few)))
        tree.cut(file, max(tree.filled(file, begin), begin))
        return begin

    def stored(self) -> tuple[Stored, ...]:
        """See BackupTarget."""
        return tuple(one for one in self._listed() if not one.name.endswith(PART))

    def delete(self, name: str) -> None:
        """See BackupTarget."""
        self._run((f"-rm {name}", f"-rm {name}{PART}"), patience(0))

    def _put(self, file: Path, name: str) -> None:
        steps = (f"put {_quoted(file)} {name}{PART}", f"rename {name}{PART} {name}", LIST)
        there = _read(self._run(steps, patience(tree.size(file))))
        with contextlib.suppress(TargetFailed):  # the backup is there; what is left goes with the next one
            self._sweep(there, name)

    def _listed(self) -> list[Stored]:
        return _read(self._run((LIST,), patience(0)))

    def _sweep(self, there: list[Stored], name: str) -> bool:
        """Remove what cuts left of this site's backups, which may be gigabytes; return whether any was of an older one."""
        cut = [one.name.removesuffix(PART) for one in there if one.name.endswith(PART)]
        gone = [one for one in cut if is_left_behind(one, name)]
        if gone:
            self._run(tuple(f"-rm {one}{PART}" for one in gone), patience(0))
        return any(one != name for one in gone)

    def _run(self, steps: tuple[str, ...], timeout: float, argv: tuple[str, ...] = ()) -> str:
        """Have the client take these steps, and return what it says; `argv` is another way to start it."""
        batch = "\n".join((f"cd {_quoted(self._place.path)}", *steps, "")).encode()
        try:
            ends = (0, -signal.SIGXFSZ) if argv else (0,)
            return self._runner.run(argv or self._argv(), stdin=batch, timeout=timeout, ok=ends).stdout
        except CommandFailed as error:
            problem = _last(error.stderr) or str(error)
            code = first_match(error.stderr or str(error), SAID) or "backup-target-away"
            raise TargetFailed(code, problem) from error

    def _argv(self, more: tuple[str, ...] = ()) -> list[str]:
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
        return ["sftp", "-F", "/dev/null", "-b", "-", *more, *words, f"{self._place.user}@{self._place.host}"]


def _read(said: str) -> list[Stored]:
    """Return the files of a listing, by name."""
    seen = (LINE.fullmatch(line.strip()) for line in said.splitlines())
    found = {one["name"]: Stored(name=one["name"], size=int(one["size"])) for one in seen if one}
    return [found[name] for name in sorted(found)]


def _quoted(path: Path | str) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _last(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("Connection closed", "@", "sftp>"))]
    return (useful or lines or [""])[-1][:300]
