"""A socket that leaves loopback is a failure: connecting, binding, sending, and asking for a name.

Allowed: Unix and netlink sockets, 127.0.0.0/8, ::1, `localhost`; and, in tests marked `own_network`, the
addresses the test hosts use among themselves. Binding to every address (0.0.0.0, ::) leaves loopback and is
refused too.
"""

import ipaddress
from typing import Any

from tests.guards import audit
from tests.guards.violations import GuardError, report, running_test

# The range the test hosts give their own network; nothing else on a machine is expected there.
TEST_HOSTS = ipaddress.ip_network("10.199.0.0/16")
ADDRESS_EVENTS = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
NAME_EVENTS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def stays_on_loopback(host: object, own_network: bool = False) -> bool:
    """Whether this host, as given to a socket call, keeps traffic on this machine.

    Hosts that are not text (netlink numbers, None for "the default") do; a name other than localhost does
    not, as it would be looked up.
    """
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or (own_network and address in TEST_HOSTS)


def refuse_off_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise GuardError for traffic, or the look-up of a name, that would leave this machine."""
    if event in ADDRESS_EVENTS:
        address = arguments[1]
        # Unix addresses are text, and a connected socket sends without an address.
        host = address[0] if isinstance(address, tuple) and address else None
    else:
        host = arguments[0]
    test = running_test()
    own_network = test is not None and test.get_closest_marker("own_network") is not None
    if stays_on_loopback(host, own_network):
        return
    sentence = f"a socket left loopback: {event} {host!r}"
    report(sentence)
    raise GuardError(sentence)


audit.on(ADDRESS_EVENTS + NAME_EVENTS, refuse_off_loopback)
