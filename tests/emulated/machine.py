"""An emulated machine: QEMU without any help of this machine's processor, with a kernel of its own, a disk, USB, a
battery-backed clock, a network card and two serial ports.

Used by the tests of this package. Unlike the hosts of `tests.hosts` it shares nothing with this machine: what mounts a
stick is its kernel's own driver, what wakes up in 1970 is that kernel, and what is lost in a power cut is what was not
flushed. It costs a processor that is ten to twenty times slower.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.emulated import disks, hardware
from tests.emulated.console import Console
from tests.emulated.monitor import Monitor
from tests.emulated.stick import Stick
from tests.hosts import shell

START_SECONDS = 420.0  # until somebody may log in; 40 on two idle processors
OFF_SECONDS = 420.0


class Machine:
    """See the module. Use as a context manager: nothing of it runs afterwards. It is off at first."""

    def __init__(self, name: str, directory: Path, files: Mapping[str, bytes]) -> None:
        """A machine whose disk holds Debian, Archipel and `files`; `directory` must be empty and have a short path."""
        self.name = name
        self._directory = directory
        self._disk = disks.make(directory, name, files)
        self._sticks: dict[str, Stick] = {}
        self._process: shell.Spawned | None = None
        self._monitor: Monitor | None = None
        self._console: Console | None = None

    # -- power -----------------------------------------------------------------------------------------------
    def switch_on(self, *, clock: str = "utc", cable: bool = False) -> None:
        """Give it power, with the sticks that are in it; returns at once. `clock` is what its battery-backed clock says: the
        true time, or one like 1970-01-01T00:00:00, from which it goes on.
        """
        for name in ("console", "monitor"):
            (self._directory / name).unlink(missing_ok=True)
        command = hardware.command(self._directory, self._disk, clock)
        self._process = shell.spawn(command, output=self._directory / "qemu.log")
        try:
            self._monitor = Monitor(self._directory / "monitor")
        except TimeoutError as late:
            raise shell.CommandFailed(f"QEMU did not start: {self._process.output()[-2000:]}") from late
        for name, stick in self._sticks.items():
            self._monitor.plug(name, stick.image)
        self._monitor.cable(hardware.CARD, cable)
        self._monitor.ask("cont")

    def power_cut(self) -> None:
        """Pull the plug: see `disks` for what is lost."""
        assert self._process is not None
        shell.kill_group(self._process.pid)
        self._is_off(20)

    def power_off(self) -> None:
        """An orderly shutdown."""
        self.run(["systemctl", "--no-block", "poweroff"]).ok()
        self._is_off(OFF_SECONDS)

    def _is_off(self, seconds: float) -> None:
        assert self._process is not None
        self._process.wait(seconds)
        self._hang_up()
        self._process = None

    def _hang_up(self) -> None:
        for end in (self._console, self._monitor):
            if end is not None:
                end.close()
        self._console = self._monitor = None

    def close(self) -> None:
        """Take it away; harmless when repeated."""
        self._hang_up()
        if self._process is not None:
            self._process.stop(grace=5.0)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    # -- hands -----------------------------------------------------------------------------------------------
    def plug(self, name: str, stick: Stick) -> None:
        """Put a stick in, whether the machine is on or off."""
        if self._monitor is not None:
            self._monitor.plug(name, stick.image)
        self._sticks[name] = stick

    def pull(self, name: str) -> None:
        """Take it out, whatever the machine is doing with it."""
        if self._monitor is not None:
            self._monitor.pull(name)
        del self._sticks[name]

    def run(self, argv: Sequence[str], *, timeout: float = 120.0) -> shell.Completed:
        """Type a command at the console. The first one after a start waits until somebody may log in."""
        if self._console is None:
            self._console = Console(self._directory / "console")
            try:
                self._console.await_shell(START_SECONDS)
            except TimeoutError as late:
                raise TimeoutError(f"{late}\n{self.kernel_log()[-4000:]}") from late
        return self._console.run(argv, timeout)

    def kernel_log(self) -> str:
        """What the kernel has printed on the first serial port since the machine was made."""
        log = self._directory / "kernel.log"
        return log.read_text(errors="replace") if log.exists() else ""
