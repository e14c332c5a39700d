"""HTTP/1.1 on a connection that is kept: one request, one answer, and as little as the Kubernetes API needs (RFC 9112).

Used by `kubeapi` in every turn. `http.client` would do, but its headers go through the email parser, which costs the idle
agent a third of its CPU time and a megabyte of memory. No redirects, no proxies, no compression, no trailers.
"""

import socket

CHUNK = 1 << 16
HEAD_LIMIT = 1 << 16
BODY_LIMIT = 64 << 20  # a list of pods takes some 7 kB for each
NO_BODY = (204, 304)


class BadAnswer(OSError):
    """What came is no HTTP answer, too large, or broke off."""


class Connection:
    """One connection; after any error it is of no further use."""

    def __init__(self, stream: socket.socket, host: str) -> None:
        """Speak over `stream` (plain or TLS, with its timeout set) to the server called `host`."""
        self._stream = stream
        self._host = host
        self._pending = b""
        self.is_over = False  # the server will not answer on it again

    def close(self) -> None:
        """Hang up."""
        self.is_over = True
        self._stream.close()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Send a request; return status and body of its answer. Raises OSError."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method not in ("GET", "DELETE"):
            lines.append(f"Content-Length: {len(body)}")
        self._stream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        status, fields = self._head()
        while 100 <= status < 200:  # an interim answer says only that the real one will come
            status, fields = self._head()
        return status, self._body(status, fields)

    def _head(self) -> tuple[int, dict[bytes, bytes]]:
        while b"\r\n\r\n" not in self._pending:
            if len(self._pending) > HEAD_LIMIT:
                raise BadAnswer("the head of the answer does not end")
            self._more()
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ", 2)
        if not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise BadAnswer(f"this is not HTTP: {first[:60]!r}")
        fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.strip().lower()] = value.strip()
        if fields.get(b"connection", b"").lower() == b"close":
            self.is_over = True
        return int(words[1]), fields

    def _body(self, status: int, fields: dict[bytes, bytes]) -> bytes:
        if status in NO_BODY:
            return b""
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return self._chunks()
        length = fields.get(b"content-length")
        if length is None or not length.isdigit():
            raise BadAnswer("the answer does not say how long it is")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        parts = []
        total = 0
        while size := self._size():
            total += size
            if total > BODY_LIMIT:
                raise BadAnswer("the answer is too large")
            parts.append(self._exactly(size))
            self._line()
        while self._line():  # trailers, which nobody sends; the empty line ends them
            continue
        return b"".join(parts)

    def _size(self) -> int:
        line = self._line().partition(b";")[0].strip()
        try:
            return int(line, 16)
        except ValueError:
            raise BadAnswer(f"no chunk begins with {line[:20]!r}") from None

    def _line(self) -> bytes:
        while b"\r\n" not in self._pending:
            if len(self._pending) > HEAD_LIMIT:
                raise BadAnswer("a line of the answer does not end")
            self._more()
        line, _, self._pending = self._pending.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        if size > BODY_LIMIT:
            raise BadAnswer("the answer is too large")
        parts = [self._pending[:size]]
        self._pending = self._pending[size:]
        missing = size - len(parts[0])
        while missing:
            data = self._stream.recv(min(missing, CHUNK))
            if not data:
                raise BadAnswer("the answer broke off")
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _more(self) -> None:
        data = self._stream.recv(CHUNK)
        if not data:
            raise BadAnswer("the server hung up")
        self._pending += data
