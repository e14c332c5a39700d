"""The simulated machine behind the Machine port: a Raspberry Pi 4 unless the scenario says otherwise."""

import zlib
from dataclasses import replace

from archipel_agent.ports import Listener
from archipel_agent.rehearsal.disk import card
from archipel_agent.rehearsal.life import DATASTORE
from archipel_agent.rehearsal.world import SimulatedWorld
from archipel_contract.facts import NodeFacts, NodeUsage, Throttling

IDLE_CPU, K3S_CPU = 1.5, 9.0
SWAY_SECONDS = 1.0
IDLE_MEMORY, K3S_MEMORY = 380 << 20, 760 << 20

# What a single server was seen to listen on (k3s 1.36): address, port, protocol.
K3S_LISTENERS = (
    ("*", 6443, "tcp"),
    ("*", 10250, "tcp"),
    ("127.0.0.1", 6444, "tcp"),
    ("127.0.0.1", 10010, "tcp"),
    ("127.0.0.1", 10248, "tcp"),
    ("127.0.0.1", 10249, "tcp"),
    ("127.0.0.1", 10256, "tcp"),
    ("127.0.0.1", 10257, "tcp"),
    ("127.0.0.1", 10258, "tcp"),
    ("127.0.0.1", 10259, "tcp"),
)
SSH = Listener(port=22, address="*", process="sshd", pid=611)


class SimulatedMachine:
    """Answers from the world's state."""

    def __init__(self, world: SimulatedWorld) -> None:
        """Look at `world`."""
        self._world = world

    def facts(self) -> NodeFacts:
        """See ports.Machine."""
        state = self._world.state
        return replace(
            state.facts, boot_id=f"{state.boots:08x}-0000-4000-8000-000000000000", disks=(card(state),)
        )

    def pulse(self) -> object:
        """See ports.Machine."""
        facts = self._world.state.facts
        return (facts.nics, facts.routes)

    def usage(self) -> NodeUsage:
        """See ports.Machine."""
        world = self._world
        world.settle()
        runs = world.life.run is not None
        space = card(world.state)
        return NodeUsage(
            cpu_percent=IDLE_CPU + (K3S_CPU if runs else 0.0) + self._sway("cpu", 1.4),
            load_1m=(0.4 if runs else 0.05) + self._sway("load", 0.04),
            memory_used_bytes=IDLE_MEMORY + (K3S_MEMORY if runs else 0) + int(self._sway("memory", 16 << 20)),
            memory_total_bytes=world.state.facts.memory_bytes,
            disk_used_bytes=space.size_bytes - space.free_bytes,
            disk_total_bytes=space.size_bytes,
            temperature_c=round(world.state.temperature_c + self._sway("temperature", 0.4), 1),
            uptime_seconds=world.clock.monotonic() - world.state.booted,
            throttling=Throttling(
                under_voltage=False, capped=False, throttled=False, under_voltage_since_boot=False
            ),
        )

    def _sway(self, what: str, span: float) -> float:
        """Return a number between -span and span that changes every second, as a machine's loads do.

        Without it samples would compress better than real ones, and charts show a line.
        """
        step = int(self._world.clock.monotonic() / SWAY_SECONDS)
        noise = zlib.crc32(f"{self._world.state.facts.hostname} {what} {step}".encode())
        return (noise / 0x7FFFFFFF - 1) * span

    def clock_synchronized(self) -> bool | None:
        """See ports.Machine."""
        return self._world.state.synchronized

    def listeners(self) -> tuple[Listener, ...] | None:
        """See ports.Machine."""
        world = self._world
        world.settle()
        run = world.life.run
        found = [SSH, *world.state.strangers]
        if run is not None and run.reaches(DATASTORE) <= world.clock.monotonic():
            found += [
                Listener(port=port, address=address, protocol=protocol, process="k3s-server", pid=run.pid)
                for address, port, protocol in K3S_LISTENERS
            ]
        return tuple(found)

    def kernel_setting(self, name: str) -> str | None:
        """See ports.Machine."""
        return self._world.state.kernel.get(name)

    def has_module(self, name: str) -> bool | None:
        """See ports.Machine."""
        return name in self._world.state.modules

    def is_root(self) -> bool:
        """See ports.Machine: on a rehearsed machine everybody may."""
        return True
