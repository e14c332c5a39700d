"""The stand-in for the k3s program: a file that has the head of a real one and is recognised by the simulator.

It is never run. Its head is that of a whole ELF program for the rehearsed machine, so that it passes the same
examination as a downloaded k3s, and shows the same signs when it is cut short.
"""

import functools

from archipel_agent.k3s.binary import HEADER, LEAST_BYTES, MACHINES

MARK = b"\narchipel rehearsal: stands for k3s "
_SECTIONS = 4096
_SECTION_BYTES, _SECTION_COUNT = 64, 3


@functools.cache
def stand_in(architecture: str, version: str) -> bytes:
    """Return the file for `architecture` (as `uname -m`)."""
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    machine = MACHINES[architecture]
    head = HEADER.pack(
        ident, 2, machine, 1, 0, 64, _SECTIONS, 0, 64, 56, 1, _SECTION_BYTES, _SECTION_COUNT, 0
    )
    body = head + MARK + version.encode() + b"\n"
    return body.ljust(LEAST_BYTES + 1, b"\0")


@functools.lru_cache(maxsize=32)
def version_in(data: bytes, architecture: str) -> str:
    """Return the version a stand-in carries; empty when this is none, not whole, or of another architecture."""
    start = data.find(MARK, 0, _SECTIONS)
    if start < 0:
        return ""
    version = data[start + len(MARK) :].split(b"\n", 1)[0].decode()
    return version if data == stand_in(architecture, version) else ""
