"""The guard against sockets that leave loopback."""

import pytest

from tests.guards.conftest import Guarded
from tests.guards.sockets import stays_on_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", None, 0, b"127.0.0.1"])
def test_loopback_is_let_pass(host: object) -> None:
    assert stays_on_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org", "10.199.0.1", "fe80::1%eth0"]
)
def test_everything_else_is_not(host: object) -> None:
    assert not stays_on_loopback(host)


def test_the_network_of_the_test_hosts_is_let_pass_where_it_is_asked_for() -> None:
    assert stays_on_loopback("10.199.3.7", own_network=True)
    assert not stays_on_loopback("10.200.0.1", own_network=True)


@pytest.mark.real_process
@pytest.mark.timeout(60)
def test_a_socket_that_leaves_loopback_fails_the_test(guarded: Guarded) -> None:
    result = guarded(
        """
        import pytest, socket
        @pytest.fixture
        def udp():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened: yield opened
        def test_connects(udp): udp.connect(("192.0.2.1", 9))
        def test_listens_everywhere(udp): udp.bind(("0.0.0.0", 0))
        def test_sends(udp): udp.sendto(b"x", ("192.0.2.1", 9))
        def test_asks_for_a_name(): socket.getaddrinfo("example.org", 80)
        """
    )
    result.assert_outcomes(failed=4, errors=4)
    result.stdout.fnmatch_lines(["*a socket left loopback: socket.connect '192.0.2.1'*"])


@pytest.mark.real_process
@pytest.mark.timeout(60)
def test_unix_sockets_and_loopback_work(guarded: Guarded) -> None:
    result = guarded(
        """
        import asyncio, socket
        def test_pair():
            left, right = socket.socketpair()
            with left, right: left.sendall(b"x"); assert right.recv(1) == b"x"
        async def test_server():
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
        """
    )
    result.assert_outcomes(passed=2)
