"""One watch of the Kubernetes API on a TLS connection of its own, read without ever waiting.

Made by `kubeapi`, read by `view` once in a turn: while nothing changes that is one read that finds nothing, where a list
is a request, an answer and its parsing. What the events mean is not known here.
"""

import select
import socket
import ssl

import h11

READ_BYTES = 64 << 10
MOST_BYTES = 4 << 20  # read in one go; the rest waits for the next turn
LONGEST_EVENT = 4 << 20  # etcd keeps no object above 1.5 MiB


class HttpsWatch:
    """A watch that was asked for; `arrived` sees whether the API grants it."""

    def __init__(
        self, plain: socket.socket, context: ssl.SSLContext, host: str, path: str, bearer: str
    ) -> None:
        """Take over the connected socket `plain` and send the request; raise OSError when that fails."""
        self._http = h11.Connection(h11.CLIENT)
        self._rest = b""
        self._is_over = False
        headers = [("Host", host), ("Accept", "application/json")]
        if bearer:
            headers.append(("Authorization", f"Bearer {bearer}"))
        request = h11.Request(method="GET", target=path, headers=headers)
        asked = (self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        try:
            self._connection = context.wrap_socket(plain, server_hostname=host.rpartition(":")[0].encode())
        except OSError:
            plain.close()
            raise
        try:
            self._connection.sendall(asked)
        except OSError:
            self._connection.close()
            raise
        self._connection.setblocking(False)

    def is_quiet(self) -> bool:
        """See ports.KubeWatch. A look at the descriptor: a read that finds nothing costs many times as much."""
        if self._is_over or self._connection.pending():
            return False
        looker = select.poll()
        looker.register(self._connection, select.POLLIN)
        return not looker.poll(0)

    def arrived(self) -> tuple[bytes, ...] | None:
        """See ports.KubeWatch."""
        found: list[bytes] = []
        taken = 0
        while not self._is_over and taken < MOST_BYTES:
            try:
                data = self._connection.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except (OSError, ValueError):  # reset by the other end, or closed
                self._is_over = True
                break
            taken += len(data)
            found += self._lines(data)
        if self._is_over:
            self._connection.close()
            return None
        return tuple(found)

    def give_up(self) -> None:
        """Make the next `arrived` end the watch; may be called from any thread."""
        self._is_over = True

    def close(self) -> None:
        """See ports.KubeWatch."""
        self._is_over = True
        self._connection.close()

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the complete lines after `data` (empty: the other end has closed)."""
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    break
                if isinstance(event, h11.Data):
                    self._rest += bytes(event.data)
                elif not isinstance(event, h11.Response) or event.status_code != 200:
                    self._is_over = True  # refused, ended by the API, or closed
                    return []
        except h11.RemoteProtocolError:
            self._is_over = True
            return []
        *lines, self._rest = self._rest.split(b"\n")
        self._is_over = self._is_over or len(self._rest) > LONGEST_EVENT
        return [line for line in lines if line.strip()]


class NoWatch:
    """A watch that could not begin."""

    def is_quiet(self) -> bool:
        """See ports.KubeWatch."""
        return False

    def arrived(self) -> tuple[bytes, ...] | None:
        """See ports.KubeWatch."""
        return None

    def close(self) -> None:
        """See ports.KubeWatch."""
