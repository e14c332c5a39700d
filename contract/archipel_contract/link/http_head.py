"""The head of an HTTP/1.1 answer, read from a socket within a limit of bytes and time: for a proxy's CONNECT (RFC 9110,
9.3.6) and a WebSocket's upgrade (RFC 6455, 4).

Not h11: both ask for exactly one head, and what comes after it must stay where it is.
"""

import socket
import time
from dataclasses import dataclass

HEAD_LIMIT = 16 << 10  # bytes; common proxies send less than one


class HeadUnusable(Exception):
    """What came is no head of an HTTP answer; the message says what it was."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and fields (names in lower case), and the bytes that came behind it."""

    status: int
    reason: str
    fields: dict[str, str]
    rest: bytes


def read(source: socket.socket, until: float) -> Head:
    """Return the head that comes until that time of the monotonic clock; raise HeadUnusable, or OSError (TimeoutError when
    it does not come)."""
    came = b""
    while (end := came.find(b"\r\n\r\n")) < 0:
        if came and not b"HTTP/1.".startswith(came[:7]):
            raise HeadUnusable(f"no HTTP is spoken there: {came.decode(errors='replace')[:40]!r}")
        if len(came) > HEAD_LIMIT:
            raise HeadUnusable(f"the head of its answer is longer than {HEAD_LIMIT} bytes")
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        source.settimeout(left)
        part = source.recv(4096)
        if not part:
            raise ConnectionResetError(0, "it hung up instead of answering")
        came += part
    return _parsed(came[:end].decode("latin-1").split("\r\n"), came[end + 4 :])


def _parsed(lines: list[str], rest: bytes) -> Head:
    version, _, after = lines[0].partition(" ")
    number, _, reason = after.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (number.isascii() and number.isdigit()):
        raise HeadUnusable(f"no HTTP is spoken there: {lines[0][:40]!r}")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise HeadUnusable(f"its answer has a field without a name: {line[:40]!r}")
        fields[name.strip().lower()] = value.strip()
    return Head(int(number), "".join(one for one in reason if one.isprintable())[:80], fields, rest)
