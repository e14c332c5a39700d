"""Measures a machine, one figure after the other; each through a port, none at rest. Called by `cli.accept`.

Nothing is taken for good that was not seen: what this machine does not say is reported as not measurable, with the reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.acceptance import sources
from archipel_agent.acceptance.figures import Figure, Verdict, at_least, at_most, percentile
from archipel_agent.host.bench import Bench
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.power.watchdog import is_present
from archipel_contract.site import SiteDocument

SYNC_BOUND = 0.010  # etcd.io, hardware: 99th percentile of fdatasync below 10 ms
SYNC_SIZE = 4096
MEMORY_BOUND = 1700 << 20  # what the doctor advises for a server
HOT_PI, HOT = 80.0, 90.0  # degrees Celsius, as the doctor has them
READ_SIZE = 64 << 20
MARGIN = 256 << 20  # of the disk that stays free
SAMPLE_SECONDS = 1.0
IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How thoroughly to measure."""

    quick: bool = False
    load_seconds: float = 600.0

    @property
    def writes(self) -> int:
        """How many synced writes."""
        return 500 if self.quick else 2000

    @property
    def seconds(self) -> float:
        """How long to keep the processor busy."""
        return min(self.load_seconds, 10.0) if self.quick else self.load_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What measuring needs."""

    ports: Ports
    bench: Bench
    paths: Paths
    site: SiteDocument | None
    wishes: Wishes
    tell: Callable[[str], None]


def measure(ground: Ground) -> Iterator[Figure]:
    """Yield every figure; idle ones first, so that nothing measured before has warmed the machine."""
    for title, one in (
        ("idle power", idle_power),
        ("start-up", start_up),
        ("memory", memory),
        ("network link", link_speed),
        ("clock", clock_offset),
        ("clock with a battery", real_time_clock),
        ("watchdog", watchdog),
        ("synced writes", synced_writes),
        ("sequential read", sequential_read),
        ("heat under load", heat),
    ):
        ground.tell(title)
        yield one(ground)


def unmeasured(name: str, title: str, why: str, method: str = "", bound: str = "") -> Figure:
    """Return a figure that could not be measured here."""
    return Figure(
        name=name, title=title, method=method, bound=bound, verdict=Verdict.NOT_MEASURABLE, said=why
    )


def scratch(paths: Paths, exists: Callable[[Path], bool]) -> Path:
    """Return the scratch file: beside k3s' data, or on the state's disk where there is none yet."""
    place = paths.k3s_data if exists(paths.k3s_data) else paths.state
    while not exists(place) and place != place.parent:
        place = place.parent
    return place / ".archipel-acceptance"


def synced_writes(ground: Ground) -> Figure:
    """The 99th percentile of fdatasync after a write of 4 KiB, as etcd's own recipe measures it."""
    name, title, bound = "fdatasync-p99", "Synced writes, 99th percentile", "at most 10 ms (etcd)"
    path = scratch(ground.paths, ground.ports.disk.exists)
    method = f"{ground.wishes.writes} writes of {SYNC_SIZE} bytes to {path}, fdatasync(2) after each, one at a time"
    try:
        taken = ground.bench.synced_writes(path, ground.wishes.writes, SYNC_SIZE)
    except OSError as error:
        return unmeasured(name, title, f"{path}: {error.strerror}", method, bound)
    if not taken:
        return unmeasured(name, title, "nothing was written", method, bound)
    p99 = percentile(taken, 0.99)
    said = f"median {percentile(taken, 0.5) * 1000:.2f} ms, longest {max(taken) * 1000:.1f} ms"
    verdict = at_most(p99, SYNC_BOUND)
    return Figure(
        name=name,
        title=title,
        value=round(p99 * 1000, 3),
        unit="ms",
        method=method,
        bound=bound,
        verdict=verdict,
        said=said,
    )


def sequential_read(ground: Ground) -> Figure:
    """How fast a file is read that the system does not hold in memory."""
    name, title = "sequential-read", "Sequential read"
    path = scratch(ground.paths, ground.ports.disk.exists)
    method = f"{READ_SIZE >> 20} MiB written to {path}, dropped from memory, read in pieces of 1 MiB"
    free = ground.ports.disk.space(path).free_bytes
    if free is None or free < READ_SIZE + MARGIN:
        return unmeasured(name, title, "the disk has too little room for it", method)
    try:
        rate = ground.bench.sequential_read(path, READ_SIZE)
    except OSError as error:
        return unmeasured(name, title, f"{path}: {error.strerror}", method)
    return Figure(
        name=name,
        title=title,
        value=round(rate / 1e6, 1),
        unit="MB/s",
        method=method,
        verdict=Verdict.TOLD,
    )


def heat(ground: Ground) -> Figure:
    """How hot the machine becomes with every processor busy, and whether it slows down."""
    name, title = "heat-under-load", "Hottest under load"
    machine, clock = ground.ports.machine, ground.ports.clock
    limit = HOT_PI if machine.facts().raspberry_pi else HOT
    method = f"every processor busy for {ground.wishes.seconds:g} s, looked at every {SAMPLE_SECONDS:g} s"
    bound = f"below {limit:g} degrees Celsius, and not slowed down where the machine tells it"
    degrees: list[float] = []
    slowed: list[bool] = []
    end = clock.monotonic() + ground.wishes.seconds

    def is_over() -> bool:
        clock.wait(SAMPLE_SECONDS)
        usage = machine.usage()
        if usage.temperature_c is not None:
            degrees.append(usage.temperature_c)
        if usage.throttling.throttled is not None:
            slowed.append(bool(usage.throttling.throttled or usage.throttling.capped))
        return clock.monotonic() >= end

    if machine.usage().temperature_c is None:
        return unmeasured(name, title, "this machine shows no temperature", method, bound)
    ground.bench.work(is_over)
    if not degrees:
        return unmeasured(name, title, "the temperature could not be read under load", method, bound)
    hottest = max(degrees)
    told = (
        f"slowed down {sum(slowed) / len(slowed):.0%} of the time"
        if slowed
        else "whether it slowed down is not told"
    )
    verdict = Verdict.PASS if hottest < limit and not any(slowed) else Verdict.FAIL
    said = f"from {degrees[0]:.0f} to {degrees[-1]:.0f}; {told}"
    return Figure(
        name=name,
        title=title,
        value=round(hottest, 1),
        unit="degrees Celsius",
        method=method,
        bound=bound,
        verdict=verdict,
        said=said,
    )


def memory(ground: Ground) -> Figure:
    """How much memory the system has."""
    title, bound = "Memory", f"at least {MEMORY_BOUND >> 20} MiB for a server"
    total = ground.ports.machine.facts().memory_bytes
    if total is None:
        return unmeasured("memory", title, "it could not be read", "/proc/meminfo", bound)
    return Figure(
        name="memory",
        title=title,
        value=round(total / (1 << 20)),
        unit="MiB",
        method="MemTotal of /proc/meminfo",
        bound=bound,
        verdict=at_least(total, MEMORY_BOUND),
    )


def link_speed(ground: Ground) -> Figure:
    """How fast the link of the site's interface is."""
    name, title, method = "link-speed", "Network link", "the speed the interface's driver tells"
    nics = [one for one in ground.ports.machine.facts().nics if one.up and not one.virtual]
    wanted = ground.site.network.interface if ground.site else ""
    chosen = [one for one in nics if one.name == wanted] or ([] if wanted else nics)
    speeds = [one for one in chosen if one.speed_mbit is not None and one.speed_mbit > 0]
    if not speeds:
        return unmeasured(name, title, "no driver tells the speed of a link that is up", method)
    best = max(speeds, key=lambda one: one.speed_mbit or 0)
    return Figure(
        name=name,
        title=title,
        value=best.speed_mbit,
        unit="Mbit/s",
        method=method,
        verdict=Verdict.TOLD,
        said=best.name,
    )


def real_time_clock(ground: Ground) -> Figure:
    """Whether there is a clock that goes on without power."""
    return _presence("rtc", "Clock with a battery", ground.ports.machine.facts().has_rtc, "/sys/class/rtc")


def watchdog(ground: Ground) -> Figure:
    """Whether there is a hardware watchdog."""
    here = is_present(ground.ports.disk, ground.paths)
    return _presence("watchdog", "Hardware watchdog", here, "/dev/watchdog0 and /sys/class/watchdog")


def _presence(name: str, title: str, here: bool | None, method: str) -> Figure:
    if here is None:
        return unmeasured(name, title, "it could not be read", method)
    said = "there is one" if here else "there is none"
    return Figure(name=name, title=title, value=float(here), method=method, verdict=Verdict.TOLD, said=said)


def start_up(ground: Ground) -> Figure:
    """How long this start of the machine took until its node was ready."""
    name, title = "start-up", "From kernel start to node ready"
    method = "the journal of k3s for this start: the first line that tells the node is ready, on the kernel's clock"
    seconds, why = sources.ready_after(ground.ports.runner)
    if seconds is None:
        return unmeasured(name, title, why, method)
    return Figure(
        name=name,
        title=title,
        value=round(seconds, 1),
        unit="s",
        method=method,
        verdict=Verdict.TOLD,
        said="firmware and boot loader, which come before it, are not in it",
    )


def idle_power(ground: Ground) -> Figure:
    """How much power the machine takes while nothing is asked of it."""
    name, title = "idle-power", "Power at rest"
    found = sources.power(ground.ports, ground.paths, IDLE_SECONDS if not ground.wishes.quick else 2.0)
    if found is None:
        return unmeasured(name, title, "no sensor here tells it; measure at the plug", "hwmon, PMIC, RAPL")
    watts, method = found
    return Figure(
        name=name, title=title, value=round(watts, 2), unit="W", method=method, verdict=Verdict.TOLD
    )


def clock_offset(ground: Ground) -> Figure:
    """How far the clock is from that of its time server."""
    name, title = "clock-offset", "Clock against its time server"
    offset = sources.clock_offset(ground.ports.runner)
    if offset is None:
        return unmeasured(name, title, "no time server was heard", "chronyc, timedatectl")
    seconds, method = offset
    return Figure(
        name=name,
        title=title,
        value=round(seconds * 1000, 3),
        unit="ms",
        method=method,
        verdict=Verdict.TOLD,
    )
