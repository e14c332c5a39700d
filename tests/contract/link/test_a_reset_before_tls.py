"""A broker, or somebody on the way, that resets the connection before TLS begins: told as that, and nothing stays open."""

import contextlib
import socket
import ssl
import struct
import time

import pytest

from archipel_contract.link.broker_url import TLS, BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.reaching import protect

AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close resets


def reset(listener: socket.socket) -> socket.socket:
    """A connection whose other end is known to be gone."""
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    theirs.close()
    deadline = time.monotonic() + 10
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline:
            ours.getpeername()
    return ours


def test_it_is_no_connection_under_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = BrokerUrl("127.0.0.1", listener.getsockname()[1], scheme=TLS)
        ours = reset(listener)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with pytest.raises(CarrierFailed, match="before TLS began") as failed:
            protect(ours, context, url, time.monotonic() + 10)
    assert failed.value.code == "link-broker-away"
    assert ours.fileno() == -1
