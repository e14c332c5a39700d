"""The real API server on a real Unix socket, in a thread of its own, for tests whose side of it blocks."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from archipel_agent.api.connection import Limits
from archipel_agent.api.roles import Callers, Peer
from archipel_agent.api.server import ApiServer
from archipel_agent.service import AgentService

# Short enough for tests, and still apart from one another.
QUICK = Limits(head_seconds=0.4, body_seconds=0.4, write_seconds=0.4, alive_seconds=0.2, gap_seconds=0.001)


@contextlib.contextmanager
def serving(
    service: AgentService, path: Path, limits: Limits = QUICK, callers: Callers | None = None
) -> Iterator[ApiServer]:
    """Serve until the block ends; what fails at the start is raised here."""
    started = threading.Event()
    over: list[BaseException] = []
    handle: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, ApiServer]] = []

    async def serve() -> None:
        server = ApiServer(service, path, limits=limits, callers=callers)
        stop = asyncio.Event()
        handle.append((asyncio.get_running_loop(), stop, server))
        try:
            await server.start()
            started.set()
            await stop.wait()
        finally:
            await server.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - carried over to the thread of the test, which raises it
            over.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="api server")
    thread.start()
    assert started.wait(10)
    try:
        if over:
            raise over[0]
        yield handle[0][2]
    finally:
        with contextlib.suppress(RuntimeError):  # its loop ended with the error raised above
            handle[0][0].call_soon_threadsafe(handle[0][1].set)
        thread.join(10)
        assert not thread.is_alive()
    if over:
        raise over[0]


class SetAccounts:
    """A user database of names: uid -> (name, groups)."""

    def __init__(self, users: dict[int, tuple[str, frozenset[str]]]) -> None:
        self.users = users

    def name(self, uid: int) -> str | None:
        """Return the user's name."""
        return self.users[uid][0] if uid in self.users else None

    def groups(self, name: str, gid: int) -> frozenset[str]:
        """Return the user's groups."""
        return next(groups for known, groups in self.users.values() if known == name)


PEOPLE = SetAccounts(
    {
        0: ("root", frozenset()),
        990: ("agent", frozenset()),
        1000: ("anna", frozenset({"archipel-technician", "archipel"})),
        1001: ("bert", frozenset({"archipel", "users"})),
        1002: ("cleo", frozenset({"users"})),
    }
)


def connecting_as(uid: int) -> Callers:
    """Callers of a server whose every client is the user `uid`."""

    def peer(connection: socket.socket) -> Peer:
        return Peer(1, uid, uid)

    return Callers(own_uid=990, accounts=PEOPLE, peer=peer)
