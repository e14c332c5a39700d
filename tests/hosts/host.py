"""What a test host is: one interface for the booted and the plain kind.

Used by tests, the demo and benchmarks. The kinds (`booted.py`, `plain.py`) say how to start and how to stop;
commands are here, and all else is in the halves mixed in, which know the whole as `whole.py` says: `files.py` brings and
fetches, `cable.py` plugs, `seen.py` looks, `offers.py` brings k3s, its images, site settings and the product.
"""

import abc
import dataclasses
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from tests.hosts import shell
from tests.hosts.cable import Cable
from tests.hosts.files import Files
from tests.hosts.ground import Ground
from tests.hosts.lab import Lab
from tests.hosts.offers import Offers
from tests.hosts.seen import Seen

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
}


class Host(Seen, Files, Cable, Offers):
    """A machine under test. Use as a context manager, which boots it and leaves nothing of it."""

    def __init__(self, name: str, lab: Lab, image: Path) -> None:
        self.name = name
        self.lab = lab
        self.ip = lab.address()
        self.ground = Ground(name, image)
        self._leader: int | None = None
        self._spawned: list[shell.Spawned] = []

    # -- power
    # -----------------------------------------------------------------------------------------------------
    @abc.abstractmethod
    def boot(self) -> None:
        """Start the host and return when it is up; `TimeoutError` or `CommandFailed` with what it printed
        otherwise."""

    @abc.abstractmethod
    def power_off(self) -> None:
        """An orderly shutdown: services are stopped, the disk is synced."""

    def reboot(self) -> None:
        """An orderly shutdown, then a start."""
        self.power_off()
        self.boot()

    def power_cut(self) -> None:
        """The plug is pulled: everything dies at once, and what was not synced to disk is lost. `boot()`
        follows."""
        self.ground.cut()
        self._leader = None
        self._after_death()

    def _after_death(self) -> None:
        """Collect what ran beside the host on this machine: the near ends of its spawned commands, and the
        kind's own."""
        for spawned in self._spawned:
            spawned.stop(grace=0.2)
        self._spawned.clear()

    @property
    def is_up(self) -> bool:
        """Whether process 1 of the host is alive."""
        return self._leader is not None and Path(f"/proc/{self._leader}/ns/pid").exists()

    @property
    def leader(self) -> int:
        """Process 1 of the host as this machine numbers it; `RuntimeError` when the host is off."""
        if self._leader is None or not self.is_up:
            raise RuntimeError(f"host {self.name} is off")
        return self._leader

    def close(self) -> None:
        """Take the host away: processes, disk, cable; harmless when repeated."""
        self._leader = None
        self.ground.close()
        self._after_death()

    def __enter__(self) -> Self:
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    # -- commands
    # --------------------------------------------------------------------------------------------------
    def command(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
        """The argument list by which this machine runs `argv` inside the host, for a terminal or a benchmark.

        The environment inside is small and fixed, plus `env`.
        """
        leader = self.leader
        names = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
        words = [f"{key}={value}" for key, value in {**ENVIRONMENT, **(env or {})}.items()]
        inside = ["nsenter", "--target", str(leader), *names, "--root", "env", "-i", *words, *argv]
        return self.ground.joined(inside, groups=self.groups_inside())

    def groups_inside(self) -> list[Path]:
        """The cgroups that a command run inside the host joins."""
        return self.ground.groups

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        stdin: bytes | Path | None = None,
    ) -> shell.Completed:
        """Run a command inside the host to its end."""
        shown = (f"{self.name}:", *argv)  # the words it takes to get inside explain nothing
        try:
            done = shell.run(self.command(argv, env), timeout=timeout, stdin=stdin)
        except shell.NotInTime as late:
            raise shell.NotInTime(shown, timeout, late.said) from None
        return dataclasses.replace(done, argv=shown)

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, output: Path | None = None
    ) -> shell.Spawned:
        """Start a command inside the host; both its streams go to `output`, a file of this machine."""
        fallback = Path(tempfile.mkstemp(prefix="spawned-", suffix=".log", dir=self.ground.directory)[1])
        spawned = shell.spawn(self.command(argv, env), output=output or fallback)
        self._spawned.append(spawned)
        return spawned

    def _await_leader(self, process: shell.Spawned, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            self._leader = self.ground.guest_leader()
            if self._leader is not None:
                return
            if process.rc is not None or time.monotonic() > deadline:
                raise shell.CommandFailed(f"host {self.name} did not start: {process.output()[-3000:]}")
            time.sleep(0.005)


def layer(inside: str, outside: Path) -> tuple[PurePosixPath, Path]:
    """One pair for `Seen.layers`."""
    return PurePosixPath(inside), outside
