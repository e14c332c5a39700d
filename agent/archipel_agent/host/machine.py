"""This machine through psutil, /proc, /sys and the device tree. Reads only; None and empty mean "could not be read"."""

import os
from pathlib import Path

import psutil

from archipel_agent.host import hardware, kernel, network
from archipel_agent.host.clock import SystemClock
from archipel_agent.host.mounts import room_of, space_of
from archipel_agent.ports import Listener
from archipel_contract.facts import DiskSpace, NodeFacts, NodeUsage


class SystemMachine:
    """The machine the agent runs on."""

    def __init__(self, data_directory: Path) -> None:
        """`data_directory` is where k3s keeps its data: the disk whose room is reported."""
        self._data = data_directory
        psutil.cpu_percent(None)  # the first call only starts the measurement

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        release = hardware.os_release()
        model = hardware.model()
        name = os.uname()
        return NodeFacts(
            hostname=name.nodename,
            architecture=name.machine,
            kernel=name.release,
            os_id=release.get("ID", ""),
            os_name=release.get("PRETTY_NAME", ""),
            model=model,
            serial=hardware.serial(),
            boot_id=hardware.text("/proc/sys/kernel/random/boot_id"),
            init=hardware.init_system(),
            cpus=psutil.cpu_count(),
            memory_bytes=psutil.virtual_memory().total,
            swap_bytes=psutil.swap_memory().total,
            has_rtc=hardware.battery_clock(SystemClock().now().timestamp()),
            cgroups=kernel.cgroups(),
            nics=network.nics(),
            routes=network.routes(),
            disks=self._disks(),
            raspberry_pi="raspberry pi" in model.lower(),
        )

    def _disks(self) -> tuple[DiskSpace, ...]:
        seen: dict[str, DiskSpace] = {}
        # The data first: of two paths on one disk it is the one the agent's sandbox does not show as read-only.
        for path in (self._data, Path("/")):
            space = space_of(path)
            seen.setdefault(space.device, space)
        return tuple(seen.values())

    def pulse(self) -> object:
        """Return cables and routes; an address that changes changes the route to its network."""
        return network.pulse()

    def usage(self) -> NodeUsage:
        """Return one sample; CPU is measured since the previous call."""
        memory = psutil.virtual_memory()
        size, free = room_of(self._data)
        return NodeUsage(
            cpu_percent=psutil.cpu_percent(None),
            load_1m=os.getloadavg()[0],
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            disk_used_bytes=size - free,
            disk_total_bytes=size,
            temperature_c=hardware.temperature(),
            uptime_seconds=hardware.uptime(),
            throttling=hardware.throttling(),
        )

    def clock_synchronized(self) -> bool | None:
        """Whether the kernel says that something disciplines the clock."""
        return kernel.clock_synchronized()

    def listeners(self) -> tuple[Listener, ...] | None:
        """Return every listening socket of this machine."""
        return network.listeners()

    def kernel_setting(self, name: str) -> str | None:
        """Return a sysctl such as `vm.overcommit_memory`."""
        return hardware.text(f"/proc/sys/{name.replace('.', '/')}") or None

    def has_module(self, name: str) -> bool | None:
        """Whether the kernel has, has loaded, or could load a module."""
        return kernel.has_module(name)

    def is_root(self) -> bool:
        """Whether this process may change the system."""
        return os.geteuid() == 0
