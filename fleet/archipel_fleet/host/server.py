"""The HTTP server: uvicorn on a socket of ours, which says when it listens and leaves signals to `serve`."""

import contextlib
import socket
from collections.abc import Callable, Generator
from typing import Any

import uvicorn

BACKLOG = 256
IDLE_SECONDS = 30  # a connection over which nothing comes is closed
GRACE_SECONDS = 3  # for requests that run when the end comes
UNREAD_SECONDS = (
    60  # a client that takes nothing for so long is cut off by the kernel (tcp(7), TCP_USER_TIMEOUT)
)
CONNECTIONS = 500  # at once; more are answered 503


class PortTaken(Exception):
    """Something else listens there; the message is the address."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host` and `port` (0: any free one); raises PortTaken, OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it: what a client does not take is not kept for it for ever, even after we have hung up.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == 98:  # EADDRINUSE
            raise PortTaken(f"{host}:{port}") from error
        raise
    return made


class HttpServer(uvicorn.Server):
    """uvicorn without its own signal handlers; `ready` is called once it answers. `more` is for uvicorn's Config."""

    def __init__(self, app: Any, ready: Callable[[], None], **more: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                **{
                    "log_config": None,
                    "access_log": False,
                    "server_header": False,
                    "lifespan": "off",
                    "timeout_keep_alive": IDLE_SECONDS,
                    "timeout_graceful_shutdown": GRACE_SECONDS,
                    "limit_concurrency": CONNECTIONS,
                    "proxy_headers": False,
                    **more,
                },
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone: `serve` ends more than this server, in an order."""
        yield
