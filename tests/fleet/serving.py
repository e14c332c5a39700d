"""An application answering on a real socket of loopback, in a thread of the test, for commands and streams."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from archipel_fleet.host.server import HttpServer, listening_socket
from archipel_fleet.live import Live


@contextmanager
def answering(app: Any, live: Live, port: int = 0) -> Iterator[str]:
    """Serve `app` until the end of the block; gives its address. Open streams end as they do with a controller."""
    bound = listening_socket("127.0.0.1", port)
    ready = threading.Event()
    server = HttpServer(app, ready.set)
    thread = threading.Thread(target=_run, args=(server, bound), name="answering")
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        live.close()
        server.should_exit = True
        thread.join(10)
        bound.close()
        assert not thread.is_alive()


def _run(server: HttpServer, bound: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[bound]))
