"""sd_notify(3) in the few lines it takes: tells systemd that the agent is ready, alive or stopping."""

import os
import socket


def notify(message: str) -> bool:
    """Send `message` (such as `READY=1`) to systemd; False when nobody asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # an abstract socket, written with @ for the leading zero byte
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto(message.encode(), address)
        except OSError:
            return False
    return True
