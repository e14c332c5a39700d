"""Observe: read the world through the ports into one value that is then judged without touching anything.

`glance` is what the idle loop takes: /proc, /sys and what watches of the API have told, no process started. `gather`
adds everything a check may want (logs, listeners, versions) and is for jobs, the doctor, and turns in which something
is not OK.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from archipel_agent import clocks
from archipel_agent.checks.addresses import settled
from archipel_agent.checks.base import BackupSeen, Evidence, Wishes
from archipel_agent.checks.iptables import copies_rules
from archipel_agent.firewall.files import boot_file
from archipel_agent.host import boot_line
from archipel_agent.host.board import Board, board
from archipel_agent.host.boot_line import BootLine
from archipel_agent.k3s import hardening_seen, restarts, view
from archipel_agent.k3s.certificates import Certificate, certificates, first_to_end
from archipel_agent.k3s.config import KERNEL_SETTINGS
from archipel_agent.k3s.files import datastore, empty_files
from archipel_agent.k3s.hardening_seen import HardeningSeen
from archipel_agent.k3s.pod_logs import last_words
from archipel_agent.k3s.restarts import Window
from archipel_agent.k3s.unpacked import broken_programs, unpacked
from archipel_agent.k3s.view import ClusterView
from archipel_agent.neighbours import SHORT_SECONDS, AddressSeen, AddressWatch, twice6
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Ports
from archipel_agent.power.watchdog import watchdog
from archipel_agent.state.store import Store
from archipel_agent.upkeep import NO_UPS, Upkeep
from archipel_contract.answers import AnswersStatus
from archipel_contract.facts import NodeFacts
from archipel_contract.site import SiteDocument
from archipel_contract.status import ClusterStatus, EnrolmentStatus, K3sStatus, LinkStatus, ServiceState

LOG_LINES = 2000
HEALING_STOPPED = "healing_stopped"  # kept by `healing`, for the check of that name
MODULES = ("br_netfilter", "overlay", "vxlan", "nf_conntrack", "iptable_nat", "iptable_filter")
CONTAINERD_LOG_TAIL = 64 << 10
OTHER_CLUSTERS = {"k3s", "k3s-server", "k3s-agent", "kubelet", "kubelite", "k0s", "rke2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """What hardly ever changes, and costs half a turn to read."""

    facts: NodeFacts
    kernel_settings: dict[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What does not change while the agent runs, and what is wrong with our own files."""

    paths: Paths
    store: Store | None
    state_problem: str = ""
    settings_problem: str = ""
    node_id: str = ""
    restart_window: Window | None = None  # when k3s may be restarted by itself
    link: Callable[[], LinkStatus] = LinkStatus  # how the link stands; a LinkStatus() is one that is off
    enrolment: Callable[[], EnrolmentStatus] = EnrolmentStatus  # how this machine stands with its fleet
    answers: Callable[[], AnswersStatus] = AnswersStatus  # how the answer file stands

    backup: Callable[[], BackupSeen | None] = lambda: None  # how its backups stand
    upkeep: Upkeep | None = None  # what looks after medium and power between turns
    addresses: AddressWatch | None = (
        None  # who asks the local network for the node's address; else that of `upkeep`
    )

    def site(self) -> SiteDocument | None:
        """Return the site document in force: the current one, or the one a running `up` is bringing about."""
        return (self.store.site() or self.store.site("desired")) if self.store else None


def asking(world: World, ports: Ports) -> World:
    """Return the world with the local network to be asked for the node's address: before `up`, and for its plan."""
    return replace(world, addresses=AddressWatch(ports.lan, asks=True, patience=SHORT_SECONDS))


def lasting(ports: Ports) -> Lasting:
    """Read what hardly ever changes."""
    settings = {name: ports.machine.kernel_setting(name) for name in KERNEL_SETTINGS}
    return Lasting(facts=ports.machine.facts(), kernel_settings=settings)


def glance(
    ports: Ports, world: World, known: Lasting | None = None, seen: ClusterView | None = None
) -> Evidence:
    """Return what the idle loop looks at; without `known` that is read now, without `seen` the lists of the API are."""
    known = known or lasting(ports)
    site = world.site()
    time = clocks.trusted(world.store, ports.clock, ports.machine.clock_synchronized(), known.facts.has_rtc)
    k3s = ports.k3s.status()
    usage = ports.machine.usage()
    return Evidence(
        now=ports.clock.now(),
        facts=known.facts,
        usage=world.upkeep.shown(usage) if world.upkeep is not None else usage,
        clock=time.quality,
        time=time,
        not_before=time.floor,
        is_root=ports.machine.is_root() or ports.rehearsed,
        site=site,
        k3s=replace(k3s, version=site.k3s.version if site else ""),
        cluster=cluster(ports, k3s, seen) if site else None,
        kernel_settings=known.kernel_settings,
        state_problem=world.state_problem,
        settings_problem=world.settings_problem,
        link=world.link(),
        enrolment=world.enrolment(),
        answers=world.answers(),
        ups=world.upkeep.ups() if world.upkeep is not None else NO_UPS,
        failing=world.upkeep.rounds.failing() if world.upkeep is not None else None,
    )


def cluster(ports: Ports, k3s: K3sStatus, seen: ClusterView | None = None) -> ClusterStatus:
    """Return the cluster as its API shows it, without asking when k3s cannot be there."""
    if k3s.state in (ServiceState.ABSENT, ServiceState.STOPPED):
        if seen is not None:
            seen.forget()
        return ClusterStatus(reachable=False, message="k3s does not run")
    return seen.look() if seen is not None else view.read(ports.kube)[0]


def gather(ports: Ports, world: World, wishes: Wishes | None = None, binary: Path | None = None) -> Evidence:
    """Return everything a check may want."""
    seen = glance(ports, world)
    paths = world.paths
    neighbours = _neighbours(world, seen, wishes or Wishes())  # they answer while the rest is read
    used = binary or (Path(seen.site.k3s.path) if seen.site else None) or ports.runner.find("k3s")
    version, problem = _version(ports, used)
    held = certificates(ports.disk, paths) if seen.site else None
    iptables = _iptables(ports)
    return replace(
        _with_firewall(with_certificates(seen, world, held), ports, paths),
        wishes=wishes or Wishes(),
        k3s_log=ports.k3s.log(LOG_LINES) if seen.site else None,
        containerd_log=_tail(ports, paths.k3s_data / "agent/containerd/containerd.log")
        if seen.site
        else None,
        backup=_backups(ports, world),
        drift=_drift(ports, paths, seen.site) if seen.site and seen.site.adopted else None,
        hardening=_hardening(ports, paths, seen),
        flash=world.upkeep.flash() if world.upkeep is not None else None,
        watchdog=watchdog(ports.disk, paths),
        address=neighbours(),
        twice6=None if ports.rehearsed else twice6(_text(ports, Path("/proc/net/if_inet6"))),
        empty_files=tuple(str(path) for path in empty_files(ports.disk, paths)) if seen.site else None,
        broken_programs=_broken(ports, paths) if seen.k3s.state is ServiceState.FAILING else (),
        healing_stopped=(world.store.value(HEALING_STOPPED) or "") if world.store else None,
        listeners=ports.machine.listeners(),
        modules={name: ports.machine.has_module(name) for name in MODULES},
        disks={"data": ports.disk.space(paths.k3s_data), "state": ports.disk.space(paths.state)},
        iptables=iptables,
        resolv_conf=_text(ports, paths.at("etc/resolv.conf")),
        resolv_conf_upstream=_text(ports, paths.at("run/systemd/resolve/resolv.conf")) or "",
        kernel_command_line=_text(ports, Path("/proc/cmdline")),
        pod_words=last_words(ports.disk, ports.runner, paths, seen.cluster.pods) if seen.cluster else (),
        board=_board(ports, seen, iptables),
        datastore=datastore(ports.disk, paths) if seen.site else "",
        boot_line=_boot_line(ports, paths) if seen.facts.raspberry_pi else None,
        foreign_k3s=foreign(ports, paths, seen),
        binary=version,
        binary_problem=problem,
        k3s_drop_ins=_drop_ins(ports, paths),
        userland_bits=64 if sys.maxsize > 1 << 32 else 32,
    )


def _neighbours(world: World, seen: Evidence, wishes: Wishes) -> Callable[[], AddressSeen | None]:
    """Begin to ask the local network who has the node's address, if that is asked for, and return the way to the answer."""
    watch = world.addresses or (world.upkeep.addresses if world.upkeep is not None else None)
    choice = settled(seen.facts, seen.site, wishes.interface, wishes.node_ip)
    if watch is None or choice is None:
        return lambda: None
    if any(nic.name == choice.interface and not (nic.up and nic.carrier) for nic in seen.facts.nics):
        return lambda: None  # nobody could answer
    return watch.begin(choice.interface, choice.address, frozenset(nic.mac for nic in seen.facts.nics))


def _drift(ports: Ports, paths: Paths, site: SiteDocument) -> tuple[str, ...]:
    from archipel_agent.k3s import drift, drift_seen  # noqa: PLC0415 - only an adopted site pays for it

    return tuple(drift.line(one) for one in drift_seen.seen(ports, paths, site))


def _hardening(ports: Ports, paths: Paths, seen: Evidence) -> HardeningSeen | None:
    """Return how hardening stands in the cluster, where its API is up and k3s is through with its manifests."""
    if seen.site is None or seen.site.adopted or seen.cluster is None or not seen.cluster.ready:
        return None
    return hardening_seen.seen(ports, paths, seen.site)


def _backups(ports: Ports, world: World) -> BackupSeen | None:
    """Return how backups stand; where they go to a directory, also which of its devices hold k3s' data, too."""
    seen = world.backup()
    if seen is None or not seen.planned or not seen.place.startswith("/"):
        return seen
    from archipel_agent.flash.device import devices_of  # noqa: PLC0415 - only where backups go to a directory

    held = devices_of(ports.disk, world.paths, world.paths.k3s_data)
    shared = set(held).intersection(devices_of(ports.disk, world.paths, Path(seen.place)))
    return replace(seen, same_disk=tuple(sorted(shared)))


def _with_firewall(seen: Evidence, ports: Ports, paths: Paths) -> Evidence:
    """Return the evidence with the firewall in it, where one is kept on."""
    if not ports.disk.exists(boot_file(paths)):
        return replace(seen, firewall_kept=False)
    from archipel_agent.firewall import asking  # noqa: PLC0415 - a machine without a firewall must not pay for its rules

    network = seen.site.network if seen.site else None
    networks = (network.cluster_cidr, network.service_cidr) if network else asking.CLUSTER_NETWORKS
    return replace(
        seen,
        firewall_kept=True,
        firewall_declared=asking.is_declared(ports.disk, paths, networks),
        firewall=asking.stand(ports.runner),
    )


def with_certificates(
    seen: Evidence, world: World, held: tuple[Certificate, ...] | None, local: datetime | None = None
) -> Evidence:
    """Return the evidence with k3s' certificates as last read, and what is planned and remembered about them."""
    first = first_to_end(held or ())
    span = world.restart_window
    if first is None or seen.site is None or world.store is None:
        return replace(seen, certificates=held)
    memory = restarts.remembered(world.store.value(restarts.KEPT_AS))
    nodes = tuple(one.node_id for one in seen.site.nodes)
    at = restarts.next_time(span, world.node_id, nodes, local or seen.now.astimezone()) if span else None
    tried = restarts.was_tried(memory, first.ends, seen.k3s.started_at)
    return replace(seen, certificates=held, restart_at=at, restart_tried=tried)


def _broken(ports: Ports, paths: Paths) -> tuple[str, ...]:
    places = unpacked(ports.disk, paths)
    return tuple(str(path) for place in places for path in broken_programs(ports.disk, place))


def _version(ports: Ports, binary: Path | None) -> tuple[str | None, str]:
    if binary is None:
        return None, ""
    try:
        return f"{binary}: {ports.k3s.version_text(binary).splitlines()[0]}", ""
    except (CommandFailed, IndexError) as error:
        return None, str(error) or f"{binary} prints no version"


def foreign(ports: Ports, paths: Paths, seen: Evidence) -> tuple[str, ...]:
    """Return the signs of a Kubernetes that is not ours, one line each."""
    if seen.site is not None:
        return ()
    signs = [
        f"unit {path}"
        for path in (paths.k3s_unit, paths.units / "k3s-agent.service")
        if ports.disk.exists(path)
    ]
    signs += [
        f"data in {path}"
        for path in (paths.k3s_data / "server/db", paths.k3s_data / "agent/client-kubelet.crt")
        if ports.disk.exists(path)
    ]
    processes = {
        (one.process, one.pid) for one in ports.machine.listeners() or () if one.process in OTHER_CLUSTERS
    }
    signs += sorted(f"process {name} (pid {pid})" for name, pid in processes)
    return tuple(signs)


def _text(ports: Ports, path: Path) -> str | None:
    try:
        return ports.disk.read(path).decode(errors="replace")
    except OSError:
        return None


def _board(ports: Ports, seen: Evidence, iptables: str | None) -> Board:
    """Read what only the doctor asks for; rules are counted only where the version is known to copy them."""
    return board(
        ports.disk,
        ports.runner,
        is_pi=seen.facts.raspberry_pi,
        kernel=seen.facts.kernel,
        root_is_card=ports.disk.space(Path("/")).kind in ("sd", "emmc"),
        count_rules=seen.site is not None and copies_rules(iptables or ""),
    )


def _boot_line(ports: Ports, paths: Paths) -> BootLine | None:
    try:
        return boot_line.read(ports.disk, paths)
    except OSError:
        return None


def _tail(ports: Ports, path: Path) -> tuple[str, ...] | None:
    if not ports.disk.exists(path):
        return None
    try:
        argv = ["tail", "-c", str(CONTAINERD_LOG_TAIL), str(path)]
        return tuple(ports.runner.run(argv, timeout=5.0).stdout.splitlines())
    except CommandFailed:
        return None


def _drop_ins(ports: Ports, paths: Paths) -> str:
    directory = paths.k3s_settings / "config.yaml.d"
    names = [name for name in ports.disk.names(directory) if name.endswith((".yaml", ".yml"))]
    return "\n".join(_text(ports, directory / name) or "" for name in names)


def _iptables(ports: Ports) -> str | None:
    place = ports.runner.find("iptables")
    if place is None:
        return ""
    try:
        return ports.runner.run([place, "--version"], timeout=5.0).stdout
    except CommandFailed:
        return None
