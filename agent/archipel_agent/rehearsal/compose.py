"""Puts the rehearsed node together: the simulated ports around one world, for the agent's daemon, the demo and tests."""

from dataclasses import dataclass

from archipel_agent.host.clock import SystemClock, SystemEntropy
from archipel_agent.host.privileged import Direct, verbs_for
from archipel_agent.paths import Paths
from archipel_agent.ports import Clock, Disk, Entropy, Ports
from archipel_agent.rehearsal.binary import stand_in
from archipel_agent.rehearsal.disk import RehearsedDisk
from archipel_agent.rehearsal.fleet.clock import MachineClock
from archipel_agent.rehearsal.k3s import SimulatedK3sHost
from archipel_agent.rehearsal.kube import SimulatedKubeApi
from archipel_agent.rehearsal.machine import SimulatedMachine
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from archipel_agent.rehearsal.recordings import VERSION
from archipel_agent.rehearsal.runner import SimulatedFetcher, SimulatedRunner
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.rehearsal.world import SimulatedWorld
from archipel_agent.steps.identity import identity_file

PROGRAM = 0o755
RESOLV_CONF = b"nameserver 192.168.4.1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A rehearsed node: its ports, and the world behind them."""

    ports: Ports
    world: SimulatedWorld


def rehearse(
    paths: Paths,
    scenario: Scenario,
    clock: Clock | None = None,
    disk: Disk | None = None,
    entropy: Entropy | None = None,
) -> Rehearsal:
    """Return a rehearsed node below `paths`; without a disk its files are real ones below the root of `paths`."""
    clock = clock or _own_clock()
    used = disk or RehearsedDisk()
    deliver(paths, scenario, used)
    world = SimulatedWorld(clock, used, paths, scenario)
    if isinstance(used, RehearsedDisk | MemoryDisk):
        used.describe(world.state)
    kube = SimulatedKubeApi(world, paths.kubeconfig, identity_file(paths))
    runner = SimulatedRunner(world, kube)
    k3s = SimulatedK3sHost(world)
    verbs = {**verbs_for(used, runner), "stop-pods": lambda _: k3s.stop_pods()}
    ports = Ports(
        clock=clock,
        entropy=entropy or SystemEntropy(),
        disk=used,
        runner=runner,
        machine=SimulatedMachine(world),
        k3s=k3s,
        kube=kube,
        fetcher=SimulatedFetcher(world),
        privileged=Direct(verbs),
        rehearsed=True,
    )
    return Rehearsal(ports=ports, world=world)


def _own_clock() -> MachineClock:
    """Return a clock that shows the real time until somebody sets it."""
    real = SystemClock()
    own = MachineClock(real, real.monotonic())
    own.arrive()
    return own


def simulated_ports(paths: Paths, scenario: Scenario, clock: Clock | None = None) -> Ports:
    """Return only the ports of a rehearsed node."""
    return rehearse(paths, scenario, clock).ports


def deliver(paths: Paths, scenario: Scenario, disk: Disk) -> None:
    """Lay on the disk what a machine comes with: a k3s on PATH if the scenario has one, and name servers."""
    binary = paths.at("usr/bin/k3s")
    program = stand_in(scenario.facts.architecture, VERSION)
    if scenario.k3s_on_path and not (disk.exists(binary) and disk.read(binary) == program):
        disk.write(binary, program, PROGRAM)
    resolv = paths.at("etc/resolv.conf")
    if not disk.exists(resolv):
        disk.write(resolv, RESOLV_CONF)
