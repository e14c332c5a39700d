"""The rehearsed machine's disk: real files below a private root, in front of the machine the scenario describes."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.host.disk import SystemDisk
from archipel_agent.rehearsal.state import MachineState
from archipel_contract.facts import DiskSpace

CARD = DiskSpace(
    path="/", device="/dev/mmcblk0p2", kind="sd", filesystem="ext4", size_bytes=32 << 30, free_bytes=20 << 30
)
KERNEL_COMMAND_LINE = Path("/proc/cmdline")


class RehearsedDisk(SystemDisk):
    """A SystemDisk that answers for the simulated machine where a path outside the root is asked for."""

    def __init__(self) -> None:
        """Until `describe` is called it answers as the real one does."""
        self._state: MachineState | None = None

    def describe(self, state: MachineState) -> None:
        """Answer from `state` from now on."""
        self._state = state

    def read(self, path: Path) -> bytes:
        """Return the content of `path`."""
        if self._state is not None and path == KERNEL_COMMAND_LINE:
            return self._state.kernel_command_line.encode()
        return super().read(path)

    def space(self, path: Path) -> DiskSpace:
        """Return the simulated card."""
        if self._state is None:
            return super().space(path)
        return card(self._state)


def card(state: MachineState) -> DiskSpace:
    """Return the disk everything of the machine lies on: an SD card, unless its facts name another."""
    free = state.free_bytes
    return (
        replace(state.facts.disks[0], free_bytes=free)
        if state.facts.disks
        else replace(CARD, free_bytes=free)
    )
