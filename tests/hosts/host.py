"""What a test host is: one interface for the booted and the plain kind.

Used by tests, the demo and benchmarks. The kinds (`booted.py`, `plain.py`) say how to start and how to
stop; all else is here and in the mixed-in halves: `seen.py` looks, `offers.py` brings k3s, images, site
settings and the product.
"""

import abc
import contextlib
import dataclasses
import os
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from tests.hosts import shell
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
_FILLER = "/var/lib/testground-filler"


class Host(Seen, Offers, abc.ABC):
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

    # -- files
    # -----------------------------------------------------------------------------------------------------
    def put(self, local: Path | bytes, remote: str, mode: int = 0o644) -> None:
        """Bring a file (or these bytes, or a directory with all below it) into the host, owned by root."""
        if isinstance(local, Path) and local.is_dir():
            with tempfile.TemporaryFile() as packed:
                with tarfile.open(fileobj=packed, mode="w") as tar:
                    tar.add(local, arcname=".")
                packed.flush()
                script = 'mkdir -p "$0" && exec tar -x --no-same-owner -C "$0"'
                self.run(
                    ["sh", "-c", script, remote], stdin=Path(f"/proc/self/fd/{packed.fileno()}"), timeout=300
                ).ok()
            return
        script = 'mkdir -p "$(dirname "$0")" && cat >"$0" && chmod "$1" "$0"'
        self.run(["sh", "-c", script, remote, f"{mode:o}"], stdin=local, timeout=300).ok()

    def get(self, remote: str) -> bytes:
        """The content of a file of the host; `FileNotFoundError` where there is none."""
        with tempfile.TemporaryDirectory(dir=self.ground.directory) as place:
            target = Path(place) / "file"
            done = shell.spawn(self.command(["cat", "--", remote]), output=target)
            if done.wait(120) != 0:
                raise FileNotFoundError(f"{self.name}:{remote}: {target.read_text(errors='replace').strip()}")
            return target.read_bytes()

    def outside(self, path: str) -> Path:
        """A path of the running host as this machine reaches it, for sockets; links on the way must not be
        absolute."""
        return Path(f"/proc/{self.leader}/root") / path.lstrip("/")

    def fill_disk(self, leave_bytes: int = 0) -> None:
        """Take all space of the host's disk but `leave_bytes`; `empty_disk` gives it back."""
        free = os.statvfs(self.ground.root)
        size = free.f_bavail * free.f_frsize - leave_bytes
        filler = self._filler()
        filler.parent.mkdir(parents=True, exist_ok=True)
        if size > 0:
            shell.run(["fallocate", "-l", str(size), str(filler)]).ok()
        for _ in range(64):  # fallocate needs blocks for its own map, and leaves a rest
            free = os.statvfs(self.ground.root)
            rest = free.f_bavail * free.f_frsize - leave_bytes
            if rest < free.f_frsize:
                return
            with open(filler, "ab") as file, contextlib.suppress(OSError):
                file.write(b"\0" * min(rest, 1 << 20))

    def empty_disk(self) -> None:
        """Give the space back that `fill_disk` took."""
        self._filler().unlink(missing_ok=True)

    def _filler(self) -> Path:
        return self.ground.root / _FILLER.lstrip("/")

    # -- network
    # ---------------------------------------------------------------------------------------------------
    @property
    @abc.abstractmethod
    def cable(self) -> str:
        """The switch's end of the host's cable, an interface of the lab."""

    def cut_network(self) -> None:
        """Pull the network cable: the host sees its carrier go."""
        self.lab.run(["ip", "link", "set", self.cable, "down"]).ok()

    def heal_network(self) -> None:
        """Plug the cable in again."""
        self.lab.run(["ip", "link", "set", self.cable, "up"]).ok()

    def add_nic(self, name: str, address: str) -> None:
        """One more network card, `address` with its prefix length, its cable ending nowhere; gone after a
        restart."""
        far = f"x-{self.name}"[:11] + name[-3:]
        script = (
            'ip link add "$0" type veth peer name "$1" && ip link set "$1" netns "$2" && ip link set "$0" up'
        )
        self.lab.run(["sh", "-ec", script, far, name, str(self.leader)]).ok()
        inside = 'ip addr add "$1" dev "$0" && ip link set "$0" up'
        self.run(["sh", "-ec", inside, name, address]).ok()

    def _unplug(self) -> None:
        """Remove the cable of the run before: the kernel takes its time when a network namespace has died."""
        self.lab.run(["ip", "link", "delete", self.cable])

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
