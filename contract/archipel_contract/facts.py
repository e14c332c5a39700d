"""What a machine is (facts, which rarely change) and what it does right now (usage).

Sizes are bytes, temperatures degrees Celsius, times RFC 3339 in UTC. `None` and an empty tuple mean "could not be
read", never "zero": a check that needs such a value answers "not decided".
"""

from dataclasses import dataclass
from enum import StrEnum

FAT = frozenset(
    {"vfat", "msdos", "fuse.fusefat"}
)  # as the table of mounts calls FAT16 and FAT32, by their drivers
FAT_LARGEST = (
    1 << 32
) - 1  # a file's size stands there in 32 bits (Microsoft, FAT32 File System Specification 1.03)


class InitSystem(StrEnum):
    """What runs as process 1, which decides how k3s is kept running."""

    SYSTEMD = "systemd"
    NONE = "none"
    UNKNOWN = "unknown"


class ClockQuality(StrEnum):
    """How far the wall clock can be trusted."""

    SYNCHRONIZED = "synchronized"  # the kernel says that something disciplines it
    PLAUSIBLE = "plausible"  # later than everything we know to be past, but nobody disciplines it
    WRONG = "wrong"  # earlier than a time we have already seen, or far ahead of the build
    UNKNOWN = "unknown"


class ClockSource(StrEnum):
    """Whose word stands behind the time, the best there is."""

    TIME_SERVER = "time-server"  # the kernel says that something disciplines the clock
    FLEET = "fleet"  # a signed message of the fleet, and the time since
    TECHNICIAN = "technician"  # a person who set the clock, and the time since
    PEER = "peer"  # another node of the site, and the time since
    RTC = "rtc"  # a battery-backed clock that shows nothing impossible
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One network interface with its IPv4 addresses in CIDR notation (`192.168.4.27/24`)."""

    name: str
    mac: str = ""
    up: bool = False
    carrier: bool | None = None
    speed_mbit: int | None = None
    addresses: tuple[str, ...] = ()
    virtual: bool = False  # made by software (bridge, veth, tunnel): never a candidate for the node's address


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One IPv4 route of the main table; `destination` in CIDR notation, `0.0.0.0/0` for the default."""

    destination: str
    interface: str
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """The file system that holds `path`."""

    path: str
    device: str = ""
    kind: str = "unknown"  # sd, emmc, nvme, ssd, hdd, network, memory or unknown
    filesystem: str = ""
    size_bytes: int = 0
    free_bytes: int = 0
    read_only: bool = False

    @property
    def largest_file(self) -> int | None:
        """Bytes of the largest file that may stand on it, None where that is beyond anything we write, or not known."""
        return FAT_LARGEST if self.filesystem in FAT else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroups:
    """The control group hierarchy: version 1 or 2 (0 if none is mounted) and the controllers it offers."""

    version: int = 0
    controllers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One machine, as it describes itself."""

    hostname: str
    architecture: str  # as `uname -m`
    kernel: str = ""
    os_id: str = ""  # ID of /etc/os-release
    os_name: str = ""  # PRETTY_NAME of /etc/os-release
    model: str = ""  # device tree model or DMI product
    serial: str = ""
    boot_id: str = ""
    init: InitSystem = InitSystem.UNKNOWN
    cpus: int | None = None
    memory_bytes: int | None = None
    swap_bytes: int | None = None
    has_rtc: bool | None = None
    cgroups: Cgroups = Cgroups()
    nics: tuple[Nic, ...] = ()
    routes: tuple[Route, ...] = ()
    disks: tuple[DiskSpace, ...] = ()
    raspberry_pi: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """What a Raspberry Pi firmware reports; `None` on machines without such a report."""

    under_voltage: bool | None = None
    capped: bool | None = None
    throttled: bool | None = None
    under_voltage_since_boot: bool | None = None
    throttled_since_boot: bool | None = None  # capped or throttled, by heat or for lack of voltage


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUsage:
    """One sample of the machine's load."""

    cpu_percent: float | None = None
    load_1m: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk_used_bytes: int | None = None
    disk_total_bytes: int | None = None
    temperature_c: float | None = None
    uptime_seconds: float | None = None
    throttling: Throttling = Throttling()
    written_mb_per_day: int | None = None  # to the device with k3s' data, over the last day of running time
    written_mb_per_day_week: int | None = None  # over the last seven
    wear_percent: int | None = None  # how much of its life that device says it has used
    supply: str = ""  # of a UPS: line, battery, low or unknown; empty where none is set
