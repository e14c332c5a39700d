"""Connect to a broker with a device's certificate, say nothing, and hang up: `handshake ROOT PORT`.

What it takes is the least that any connection with certificates on both sides can cost; run by `link_bytes`.
"""

import socket
import sys
from pathlib import Path

from archipel_contract.link.secure import client_context

HOST = "127.0.0.1"
SILENCE_SECONDS = 0.5  # in which a broker says what it says by itself, such as tickets


def main(root: Path, port: int) -> None:
    """Do it once; raise OSError."""
    identity = root / "var/lib/archipel/identity"
    authorities = [one.read_text() for one in identity.glob("*.pem") if "CERTIFICATE" in one.read_text()]
    context = client_context(authorities, identity / "device.crt", identity / "device.key", check_time=True)
    with socket.create_connection((HOST, port)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        with context.wrap_socket(plain, server_hostname=HOST) as secured:
            secured.settimeout(SILENCE_SECONDS)
            try:
                secured.recv(1)
            except TimeoutError:
                return


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
