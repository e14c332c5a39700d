"""QEMU's monitor of one machine: what a hand at the machine does, such as plugging and pulling.

Used by `machine.py`. It speaks QMP, the monitor's form for programs: one JSON document a line, asked and answered; events
are passed over (QEMU, docs/interop/qmp-spec.txt).
"""

import json
import socket
import time
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 60.0  # an emulator with busy processors answers late


class Refused(RuntimeError):
    """The monitor answered with an error; its description is the text."""


def connected(path: Path, seconds: float = 20.0) -> socket.socket:
    """A connection to a socket which QEMU makes as it starts; `TimeoutError` where it does not."""
    deadline = time.monotonic() + seconds
    while True:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as late:
            line.close()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path}: {late}") from late
            time.sleep(0.05)
        else:
            return line


class Monitor:
    """One connection, held until the machine is off."""

    def __init__(self, path: Path) -> None:
        self._line = connected(path)
        self._line.settimeout(ANSWER_SECONDS)
        self._file = self._line.makefile("rwb")
        self._file.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Have a command carried out and return what it returns; `_` in names of arguments becomes `-`. Raises Refused."""
        wanted = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._file.write(json.dumps({"execute": command, "arguments": wanted}).encode() + b"\n")
        self._file.flush()
        for line in self._file:
            said = json.loads(line)
            if "error" in said:
                raise Refused(f"{command}: {said['error']['desc']}")
            if "return" in said:
                return said["return"]
        raise ConnectionError(f"{command}: the machine is gone")

    def plug(self, name: str, image: Path) -> None:
        """Put a stick into the machine's USB: its image is a file of this machine."""
        file = {"driver": "file", "filename": str(image)}
        self.ask("blockdev-add", driver="raw", node_name=name, file=file)
        self.ask("device_add", driver="usb-storage", bus="usb.0", id=name, drive=name, removable=True)

    def pull(self, name: str) -> None:
        """Pull it out, whatever the machine is doing with it."""
        self.ask("device_del", id=name)
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                self.ask("blockdev-del", node_name=name)
                return
            except Refused:  # what the machine had asked of it is still under way
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def cable(self, name: str, plugged: bool) -> None:
        """Put the network cable into the card of that name, or take it out."""
        self.ask("set_link", name=name, up=plugged)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._line.close()
