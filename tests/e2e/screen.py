"""The technician's screen inside a host, on a pseudo-terminal of this machine, as over a serial line or SSH."""

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Iterator

from tests.hosts.host import Host
from tests.tui.on_terminal import OnTerminal, stop

SIZE = (80, 24)


@contextlib.contextmanager
def screen(host: Host, *command: str) -> Iterator[OnTerminal]:
    """Run the command inside the host on a terminal of 80x24; end it afterwards."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    process = subprocess.Popen(
        host.command(command), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    try:
        yield OnTerminal(process, master, SIZE)
    finally:
        stop(process)
        os.close(slave)
        os.close(master)
