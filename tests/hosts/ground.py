"""The ground one host stands on: its disk, its cgroups, and an outer process namespace that takes
everything with it.

Used by `booted.py` and `plain.py`. A keeper (`init.py`) holds a mount namespace, in which the disk is
mounted, and a process namespace, in which the host runs. The keeper reads from a pipe whose other end only
we hold: when we end, however abruptly, it ends, the kernel kills all that ran in there, and mounts, loop
device and cables vanish. What can stay behind then is a directory in the cache and empty cgroups;
`clean.py` removes both.
"""

import contextlib
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.hosts import cgroups, disk, shell
from tests.hosts.places import INIT, Lock, checked_name, interpreter, runs

_JOIN = 'for group in $GROUPS_TO_JOIN; do echo $$ >"$group/cgroup.procs"; done; exec "$@"'


class Ground:
    """Made with a copy of `image` as its disk; `close()` leaves nothing."""

    def __init__(self, name: str, image: Path) -> None:
        self.name = checked_name(name)
        self.directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=runs()))
        self._lock = Lock(self.directory / "lock")
        self._lock.take()
        self.disk = self.directory / "disk.ext4"
        self.mount_point = self.directory / "root"
        self.mount_point.mkdir()
        self.groups: list[Path] = []
        self._keeper: shell.Spawned | None = None
        self._keeper_pid = 0
        try:
            self.groups = cgroups.create(self.directory.name)
            (self.directory / "groups.json").write_text(json.dumps([str(path) for path in self.groups]))
            disk.copy(image, self.disk)
            self._start_keeper()
            self.mount()
        except BaseException:
            self.close()
            raise

    def _start_keeper(self) -> None:
        said = self.directory / "keeper.log"
        unshare = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        argv = self.joined([*unshare, interpreter(), "-SE", str(INIT)])
        self._keeper = shell.spawn(argv, output=said, hold_stdin=True)
        deadline = time.monotonic() + 10
        while "ready" not in self._keeper.output():
            if self._keeper.rc is not None or time.monotonic() > deadline:
                raise shell.CommandFailed(f"no namespaces for host {self.name}: {self._keeper.output()}")
            time.sleep(0.003)
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children").read_text().split()
        self._keeper_pid = int(children[0])
        # A tmpfs over /run of this namespace: systemd-nspawn keeps its notes there, and they are not the
        # machine's.
        self.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]).ok()

    def joined(self, argv: list[str], *, groups: list[Path] | None = None) -> list[str]:
        """The command so that it runs inside the host's cgroups."""
        joined = " ".join(str(path) for path in (self.groups if groups is None else groups))
        return ["env", f"GROUPS_TO_JOIN={joined}", "sh", "-ec", _JOIN, "sh", *argv]

    def enter(self) -> list[str]:
        """The words in front of a command of this machine that has to see the ground's mounts and
        processes."""
        return ["nsenter", "--target", str(self._keeper_pid), "--mount", "--pid"]

    def run(self, argv: list[str], timeout: float = 60.0) -> shell.Completed:
        """Run a command of this machine among the ground's mounts and processes."""
        return shell.run([*self.enter(), *argv], timeout=timeout)

    @property
    def root(self) -> Path:
        """The disk's top directory as seen from outside; nothing is mounted on top of it. Mind absolute
        links."""
        return Path(f"/proc/{self._keeper_pid}/root{self.mount_point}")

    def mount(self) -> None:
        """Mount the disk (after a power cut the journal is replayed)."""
        self.run(["mount", "-o", disk.MOUNT_OPTIONS, str(self.disk), str(self.mount_point)]).ok()

    def unmount(self) -> None:
        """Unmount the disk; everything that ran on it must be gone."""
        deadline = time.monotonic() + 10
        while True:
            done = self.run(["umount", str(self.mount_point)])
            if done.rc == 0:
                return
            if time.monotonic() > deadline:
                done.ok()
            time.sleep(0.02)

    def sync(self) -> None:
        """Write everything to the disk, so that no power cut takes what was prepared before the host started."""
        self.run(["sync", "--file-system", str(self.mount_point)]).ok()

    def guest_leader(self) -> int | None:
        """Process 1 of the host, as this machine numbers it; None while there is none."""
        for pid in sorted(cgroups.processes(self.groups)):
            numbers = _namespace_pids(pid)
            # This machine, the ground, the host: three levels, and 1 in the innermost.
            if len(numbers) == _depth() + 2 and numbers[-1] == 1 and pid != self._keeper_pid:
                return pid
        return None

    def cut(self) -> None:
        """The power fails: the disk takes nothing more, then every process of the host is killed, then the
        disk is back."""
        disk.cut(self.root)
        self.kill()
        self.unmount()
        self.mount()

    def kill(self) -> None:
        """SIGKILL for everything in the host; the keeper stays.

        Helpers outside the ground's process namespace (nsenter) end by themselves with what they started. Killed
        first they would leave zombies to this machine's process 1, which may take seconds to collect them.
        """
        spared = {self._keeper_pid, self._keeper.pid if self._keeper else 0}
        begun = time.monotonic()
        cgroups.thaw(self.groups)
        while left := cgroups.processes(self.groups) - spared:
            waited = time.monotonic() - begun
            if waited > 20:
                raise TimeoutError(f"host {self.name}: processes {sorted(left)} do not die")
            for pid in left:
                if waited > 2 or len(_namespace_pids(pid)) > _depth():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def close(self) -> None:
        """Kill, unmount, remove; harmless when repeated, and not to be interrupted from the keyboard."""
        with _uninterrupted():
            self._close()

    def _close(self) -> None:
        if self._keeper is not None:
            # Nobody will read this disk again, so the kernel need not write it back first.
            with contextlib.suppress(OSError):
                disk.cut(self.root)
            cgroups.thaw(self.groups)
            self._keeper.stop()
        cgroups.kill(self.groups)  # helpers outside the namespace, should one hang
        cgroups.remove(self.groups)
        shutil.rmtree(self.directory, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._lock.close()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C while we clean up after the first would leave half of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _namespace_pids(pid: int) -> list[int]:
    """A process's number in each process namespace it is in, outermost first; empty when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return [int(word) for word in line.split()[1:]]
    except OSError:
        return []
    return []


def _depth() -> int:
    return len(_namespace_pids(os.getpid()))
