"""The door to a UPS server: one question over TCP, one answer, good-bye. Implements the Ups port."""

import contextlib
import socket

from archipel_agent.ports import UpsSilent

TIMEOUT_SECONDS = 2.0  # it is asked from the thread of the turns
PIECES = 16  # an answer that drips in is given up


class NetworkUps:
    """Asks servers of the Network UPS Tools."""

    def ask(self, host: str, port: int, question: bytes, end: bytes, limit: int) -> bytes:
        """See ports.Ups."""
        try:
            with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as line:
                line.sendall(question)
                answer = b""
                for _ in range(PIECES):
                    piece = line.recv(4096)
                    answer += piece
                    is_over = answer.endswith(end) or (answer.startswith(b"ERR ") and answer.endswith(b"\n"))
                    if is_over or not piece or len(answer) > limit:
                        break
                with contextlib.suppress(OSError):
                    line.sendall(b"LOGOUT\n")
                return answer
        except OSError as error:
            raise UpsSilent(f"{host}:{port} does not answer: {error.strerror or error}") from error
