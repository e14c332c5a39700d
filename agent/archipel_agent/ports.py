"""The ports: everything the agent's decisions need from the world, as narrow protocols.

`host/` and `k3s/` hold the real implementations, `rehearsal/` the simulated machine, `tests/fakes/` the treacherous ones.
All calls block; they are made from worker threads, never from the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # loaded by every program that does one privileged thing: such programs begin often
    from archipel_contract.api import VoucherGiven, VoucherRequest, VoucherWish
    from archipel_contract.facts import DiskSpace, NodeFacts, NodeUsage
    from archipel_contract.status import EnrolmentStatus, K3sStatus


class Cancelled(Exception):
    """The job was asked to stop while it waited."""


class CommandFailed(Exception):
    """A command ended badly; the message explains it for people, `code` is None when it never ran or was killed."""

    def __init__(self, message: str, code: int | None = None, stdout: str = "", stderr: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ran to its end; texts are decoded with replacement and redacted by whoever shows them."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class Clock(Protocol):
    """Time. The wall clock may lie; durations come from `monotonic`."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass; raise Cancelled when the waiting job is asked to stop."""
        ...


class Entropy(Protocol):
    """Randomness for names, tokens and jitter."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        ...


class Disk(Protocol):
    """The one door to files. Writes are atomic and durable when the call returns; all paths are absolute.

    Raises OSError as the system does; callers that show it use `explain.os_error`.
    """

    def read(self, path: Path) -> bytes:
        """Return the content; raise FileNotFoundError if there is none."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether `path` names anything, a dangling link included."""
        ...

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """Replace `path`, all or nothing, parents made with 0755; `wipes`: then overwrite what stood there, if possible."""
        ...

    def copy(self, source: Path, target: Path, mode: int, shares: bool = False) -> None:
        """Copy a file of any size into place, all or nothing; `shares`: as a second name of one file, where the disk can."""
        ...

    def pour(self, path: Path, pieces: Iterable[bytes], mode: int) -> None:
        """Replace `path` by the pieces one after the other, all or nothing; what taking a piece raises leaves nothing.

        For contents that do not fit into memory.
        """
        ...

    def size(self, path: Path) -> int:
        """Return how many bytes a file holds; raise FileNotFoundError if there is none."""
        ...

    def part(self, path: Path, offset: int, length: int) -> bytes:
        """Return that part of a file, shorter at its end; raise FileNotFoundError if there is none."""
        ...

    def link(self, target: Path, path: Path) -> None:
        """Make `path` a symbolic link to `target`, replacing a link that is there."""
        ...

    def move(self, path: Path, target: Path) -> None:
        """Rename in the same directory, all or nothing; what had that name must be gone before (FileExistsError)."""
        ...

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Make `path` and its parents; give it `mode` even if it is there."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file or link; nothing happens if there is none."""
        ...

    def remove_tree(self, path: Path, keep: frozenset[Path] = frozenset()) -> None:
        """Remove a directory with all it holds but `keep`, never following links or crossing into another file system."""
        ...

    def erase(self, path: Path) -> None:
        """Overwrite a file where it lies, then remove it; nothing happens if there is none. For private keys.

        A card that moves what it writes may keep the old bytes all the same, so whoever can also declares the key void.
        """
        ...

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return every file and link below `path`, sorted; empty if it is not there."""
        ...

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the sorted names in a directory; empty if it is not there."""
        ...

    def mode(self, path: Path) -> int | None:
        """Return the permission bits of `path`, None if it is not there."""
        ...

    def modified(self, path: Path) -> datetime | None:
        """Return when the content of `path` was last changed by the clock of then, in UTC; None if that is not known."""
        ...

    def sha256(self, path: Path) -> str:
        """Return the hexadecimal SHA-256 of a file of any size."""
        ...

    def flush(self, path: Path) -> None:
        """Make everything that others wrote on the file system of `path` durable (syncfs(2)); nothing if it is not there."""
        ...

    def space(self, path: Path) -> DiskSpace:
        """Return the file system that holds `path` or its nearest existing parent."""
        ...


class Runner(Protocol):
    """The one door to subprocesses."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 30.0,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        environment: dict[str, str] | None = None,
    ) -> Completed:
        """Run argv, its environment clean; raise CommandFailed if it is missing, killed in time, or its code not in `ok`."""
        ...

    def find(self, command: str) -> Path | None:
        """Return where `command` is on the administrator's PATH."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One listening TCP socket or bound UDP socket."""

    port: int
    address: str
    protocol: str = "tcp"
    process: str = ""
    pid: int | None = None


class Machine(Protocol):
    """What the machine says of itself. None means "could not be read"."""

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        ...

    def pulse(self) -> object:
        """Return a value that changes when a cable, an address or a route does; cheap enough for every turn."""
        ...

    def usage(self) -> NodeUsage:
        """Return one sample; CPU is measured since the previous call."""
        ...

    def clock_synchronized(self) -> bool | None:
        """Whether the kernel says that something disciplines the clock."""
        ...

    def listeners(self) -> tuple[Listener, ...] | None:
        """Return every listening socket (expensive: not for the idle loop)."""
        ...

    def kernel_setting(self, name: str) -> str | None:
        """Return a sysctl such as `vm.overcommit_memory`."""
        ...

    def has_module(self, name: str) -> bool | None:
        """Whether the kernel has, has loaded, or could load a module."""
        ...

    def is_root(self) -> bool:
        """Whether this process may change the system."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpec:
    """How to run k3s: the command line and the text of its unit where systemd keeps it."""

    argv: tuple[str, ...]
    unit: str


class K3sHost(Protocol):
    """The k3s on this machine: what its command line says, its life as a service, its raw log lines."""

    def version_text(self, binary: Path) -> str:
        """Return the standard output of `k3s --version`; raise CommandFailed if it does not run here."""
        ...

    def install_service(self, spec: UnitSpec) -> None:
        """Make k3s a service that comes back after a reboot; nothing is started."""
        ...

    def service_installed(self, spec: UnitSpec) -> bool:
        """Whether the service is installed exactly so."""
        ...

    def remove_service(self) -> None:
        """Stop k3s becoming started at boot and forget its service; its process is not touched."""
        ...

    def start(self) -> None:
        """Start the service and return without waiting for it to be ready."""
        ...

    def stop(self) -> None:
        """Stop the k3s process; its containers keep running."""
        ...

    def stop_pods(self) -> None:
        """End every container and remove what k3s mounted, linked and added to the firewall (what k3s-killall.sh does)."""
        ...

    def status(self) -> K3sStatus:
        """Return how the service stands (version left empty)."""
        ...

    def log(self, lines: int) -> tuple[str, ...]:
        """Return the last log lines of the current and earlier runs, oldest first, unredacted."""
        ...

    def leftovers(self) -> tuple[str, ...]:
        """Return what k3s left in the kernel: mounts, links, network namespaces, firewall chains, one line each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeReply:
    """An answer of the Kubernetes API; `status` is 0 when nobody answered, and `body` then says why."""

    status: int
    body: bytes


class KubeWatch(Protocol):
    """What changes in one list of the Kubernetes API, told without being asked."""

    def arrived(self) -> tuple[bytes, ...] | None:
        """Return the watch events (JSON objects with `type` and `object`) that came since the last call, without waiting.

        None when the watch is over, whatever ended it: nothing more will come, and the list must be read anew.
        """
        ...

    def is_quiet(self) -> bool:
        """Whether surely nothing has come since `arrived` last said so; False where only reading can tell."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class KubeApi(Protocol):
    """One kept-alive connection to the Kubernetes API of this site, and one for each watch."""

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> KubeReply:
        """Send one request and return the answer; never raises for what the network does."""
        ...

    def watch(self, path: str) -> KubeWatch:
        """Watch a list from the resource version in `path`; a watch that cannot begin is over at once."""
        ...

    def close(self) -> None:
        """Close the connection, and end all watches; the next request opens a new one (with credentials read anew)."""
        ...


class Privileged(Protocol):
    """Does what the sandboxed agent may not do itself; `host/privileged.py` has the table of verbs."""

    def call(self, verb: str, **parameters: str) -> None:
        """Do it; raise CommandFailed or OSError."""
        ...


class Fetcher(Protocol):
    """Downloads over HTTP(S)."""

    def fetch(self, url: str, limit: int) -> bytes:
        """Return the body of a small file of at most `limit` bytes; raise FetchFailed."""
        ...

    def download(self, url: str, target: Path, limit: int) -> None:
        """Write the body to `target`, going on from what is there already; raise FetchFailed."""
        ...


class EnrolFailed(Exception):
    """The fleet was not heard; the message says why in one line. `is_untrusted`: who answered is not who it should be."""

    def __init__(self, message: str, is_untrusted: bool = False) -> None:
        super().__init__(message)
        self.is_untrusted = is_untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """How a connection is to be secured: CAs in PEM, and the files of a certificate and its key if there is one."""

    authorities: tuple[str, ...]
    check_time: bool
    certificate: Path | None = None
    key: Path | None = None


class Enroller(Protocol):
    """One question over HTTPS to the fleet's enrolment."""

    def ask(self, address: str, path: str, body: bytes, secured: Secured | None) -> bytes:
        """Return what `https://host:port` answers at `path`: to a POST of `body`, or to a GET where that is empty.

        With `secured` None whoever answers is taken, so that nothing secret may be in the body. Raises EnrolFailed, also for
        every status but 200.
        """
        ...


class Enrolment(Protocol):
    """What stands between this machine and its fleet, as the API sees it."""

    def status(self) -> EnrolmentStatus:
        """Return how it stands; cheap."""
        ...

    def invite(self, link: str, again: bool) -> EnrolmentStatus:
        """Begin to enrol by a link; `again` also where this machine is enrolled. Raises service.Refused."""
        ...

    def leave(self) -> None:
        """Leave the fleet, or what was begun to come into one. Raises service.Refused."""
        ...

    def request(self) -> VoucherRequest:
        """Return what another node has to know to vouch for this one. Raises service.Refused."""
        ...

    def vouch(self, wish: VoucherWish) -> VoucherGiven:
        """Vouch for another node. Raises service.Refused."""
        ...


class Uplink(Protocol):
    """The link to the fleet, as the process that keeps it sees it."""

    def start(self) -> None:
        """Begin to connect; never fails."""
        ...

    def look(self) -> None:
        """See whether there is a fleet to reach, and begin or end accordingly; called before each turn, and cheap."""
        ...

    def stop(self) -> None:
        """Say good-bye and keep what was not acknowledged."""
        ...


Mark = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mounted file system; a later one at the same point hides an earlier one."""

    point: Path
    filesystem: str
    is_removable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingBoot:
    """A boot partition that should be mounted and is not."""

    place: Path
    says: str  # who says so: /etc/fstab, or the board


class Media(Protocol):
    """What is mounted, for whoever looks for answer files. Every call is cheap enough for each turn."""

    def mounts(self) -> tuple[Mount, ...]:
        """Return what is mounted; the same object as long as nothing changed."""
        ...

    def mark(self, path: Path) -> Mark | None:
        """Return what changes when a file does, its size in bytes first; None if it is not there or cannot be looked at."""
        ...

    def missing_boot(self) -> MissingBoot | None:
        """Return the boot partition that this machine should have mounted, and has not."""
        ...


class UpsSilent(Exception):
    """A UPS server was not heard; the message says why in one line."""


class Ups(Protocol):
    """One question to a UPS server over TCP."""

    def ask(self, host: str, port: int, question: bytes, end: bytes, limit: int) -> bytes:
        """Return the answer up to `end`, to a line that begins with `ERR `, or to `limit` bytes; raise UpsSilent."""
        ...


class LanSilent(Exception):
    """The local network could not be asked; the message says why in one line."""


class Lan(Protocol):
    """One question to the local network."""

    def holders(self, interface: str, address: str) -> tuple[str, ...]:
        """Return the hardware addresses (`02:00:00:00:00:01`) of whoever says that an IPv4 address is theirs; one may be
        ours, of another interface on the same network. Takes about a second where nobody answers. Raises LanSilent."""
        ...


class FetchFailed(Exception):
    """A download did not succeed; the message says which and why in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All ports of one node, handed to whoever decides or acts."""

    clock: Clock
    entropy: Entropy
    disk: Disk
    runner: Runner
    machine: Machine
    k3s: K3sHost
    kube: KubeApi
    fetcher: Fetcher
    privileged: Privileged
    ups: Ups | None = None  # None: nobody can be asked
    lan: Lan | None = None  # the same
    rehearsed: bool = False
