"""Whether a file can be a k3s for this machine, before it is run: an ELF program, whole, for this processor.

Header fields by the ELF specification (elf(5)). A truncated download often still starts, because k3s unpacks the rest
of itself later; its section table, which stands at the end of the file, shows it at once.
"""

import struct
from pathlib import Path

MACHINES = {"x86_64": 62, "aarch64": 183}  # e_machine
NAMES = {62: "x86-64", 183: "aarch64", 40: "32-bit ARM", 3: "32-bit x86", 243: "RISC-V"}
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
LEAST_BYTES = 1 << 20


def problem(path: Path, architecture: str) -> str:
    """Return why the file cannot be a k3s for `architecture` (as `uname -m`), empty if nothing speaks against it."""
    try:
        size = path.stat().st_size
        with path.open("rb") as readable:
            head = readable.read(HEADER.size)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if not path.is_file():
        return f"{path} is not a file"
    if head[:4] != b"\x7fELF":
        return f"{path} is not a program" + (" (it is empty)" if not size else "")
    if len(head) < HEADER.size or size < LEAST_BYTES:
        return f"{path} is only {size} bytes long: the download broke off"
    if head[4] != 2:
        return f"{path} is a 32-bit program; this machine needs {architecture}"
    _, _, machine, _, _, _, sections, _, _, _, _, entry_size, entries, _ = HEADER.unpack(head)
    if machine != MACHINES.get(architecture):
        return (
            f"{path} is for {NAMES.get(machine, f'machine type {machine}')}, this machine is {architecture}"
        )
    if sections + entry_size * entries > size:
        return f"{path} is truncated: {size} bytes of at least {sections + entry_size * entries}"
    return ""
