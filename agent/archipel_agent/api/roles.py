"""Who is at the other end of the socket, and what that user may do. The kernel tells; the request has no say.

Called once per connection, in a worker thread, since looking up groups may ask a directory server.
"""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from archipel_contract.api import AccessRole

VIEW_GROUP = "archipel"
TECHNICIAN_GROUP = "archipel-technician"

_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected, as the kernel recorded it at that moment."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with the role found for it; `role` is None for somebody who may nothing."""

    name: str
    role: AccessRole | None


class Accounts(Protocol):
    """The user database, as far as roles need it."""

    def name(self, uid: int) -> str | None:
        """Return the user's name, None if there is no such user."""
        ...

    def groups(self, name: str, gid: int) -> frozenset[str]:
        """Return the names of all groups the user is in, `gid` among them."""
        ...


class SystemAccounts:
    """The user database of this machine."""

    def name(self, uid: int) -> str | None:
        """Return the user's name, None if there is no such user."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return None

    def groups(self, name: str, gid: int) -> frozenset[str]:
        """Return the names of all groups the user is in; groups without a name are left out."""
        found = set()
        for number in os.getgrouplist(name, gid):
            try:
                found.add(grp.getgrgid(number).gr_name)
            except KeyError:
                continue
        return frozenset(found)


def peer_of(connection: socket.socket) -> Peer:
    """Return the credentials of the peer (SO_PEERCRED of unix(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Peer(*_UCRED.unpack(raw))


class Callers:
    """Finds the caller of a connection: root and the agent's own user own it, two groups may less, others nothing."""

    def __init__(
        self,
        own_uid: int | None = None,
        accounts: Accounts | None = None,
        peer: Callable[[socket.socket], Peer] = peer_of,
    ) -> None:
        self._own_uid = os.geteuid() if own_uid is None else own_uid
        self._accounts = accounts or SystemAccounts()
        self._peer = peer

    def caller(self, connection: socket.socket) -> Caller:
        """Return who is at the other end of `connection`."""
        peer = self._peer(connection)
        name = self._accounts.name(peer.uid)
        shown = name or f"uid {peer.uid}"
        if peer.uid in (0, self._own_uid):
            return Caller(shown, AccessRole.OWNER)
        groups = self._accounts.groups(name, peer.gid) if name else frozenset()
        if TECHNICIAN_GROUP in groups:
            return Caller(shown, AccessRole.TECHNICIAN)
        if VIEW_GROUP in groups:
            return Caller(shown, AccessRole.VIEW)
        return Caller(shown, None)


def socket_group() -> int | None:
    """Return the group that may open the socket, None where the installer did not make one."""
    try:
        return grp.getgrnam(VIEW_GROUP).gr_gid
    except KeyError:
        return None
