"""One network for hosts: a bridge inside a network namespace of its own, so that no interface of this
machine is touched.

Used by `booted.py` and `plain.py`; hosts of the same `Lab` reach one another and nothing else. The
namespace has no name and no file: it ends with its keeper, and the keeper ends with the process that made
it.
"""

import os
import time
from types import TracebackType

from tests.hosts import shell
from tests.hosts.places import INIT, interpreter

BRIDGE = "br0"
# Away from k3s' 10.42.0.0/16 and 10.43.0.0/16.
PREFIX = "10.199.0"
GATEWAY = f"{PREFIX}.1"


class Lab:
    """A switch with a gateway address (10.199.0.1/24) that leads nowhere; hosts get .11, .12, ..."""

    def __init__(self) -> None:
        self._keeper = shell.spawn(["unshare", "--net", interpreter(), "-SE", str(INIT)], hold_stdin=True)
        self._last = 10
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        deadline = time.monotonic() + 5
        ours = _network_of("self")
        while _network_of(str(self._keeper.pid)) == ours:
            if time.monotonic() > deadline or self._keeper.rc is not None:
                raise shell.CommandFailed("unshare --net: no network namespace came up")
            time.sleep(0.002)
        script = (
            f"ip link set lo up; ip link add {BRIDGE} type bridge forward_delay 0; "
            f"ip addr add {GATEWAY}/24 dev {BRIDGE}; ip link set {BRIDGE} up"
        )
        self.run(["sh", "-ec", script]).ok()

    @property
    def pid(self) -> int:
        """The process that holds the namespace."""
        return self._keeper.pid

    def address(self) -> str:
        """The next free address."""
        self._last += 1
        return f"{PREFIX}.{self._last}"

    def enter(self) -> list[str]:
        """The words in front of a command that has to run in this network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def run(self, argv: list[str]) -> shell.Completed:
        """Run a command of this machine in this network."""
        return shell.run([*self.enter(), *argv], timeout=20)

    def close(self) -> None:
        """Take the network down; harmless when repeated."""
        self._keeper.stop()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


def _network_of(pid: str) -> str:
    """The identity of a process's network namespace, empty while it cannot be read."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""
