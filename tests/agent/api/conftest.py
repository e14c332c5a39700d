"""A scripted agent behind the real server on a real socket, and ways to talk to it badly."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_contract.client import AgentClient
from tests.fakes.service import ScriptedService
from tests.fakes.serving import serving


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is."""
    return tmp_path / "run" / "agent.sock"


@pytest.fixture
def service() -> ScriptedService:
    """The scripted agent."""
    return ScriptedService()


@pytest.fixture
def client(service: ScriptedService, path: Path) -> Iterator[AgentClient]:
    """A client of the scripted agent, which serves until the test ends."""
    with serving(service, path):
        yield AgentClient(path, timeout=5)


@contextlib.contextmanager
def raw(path: Path) -> Iterator[socket.socket]:
    """A connection without any manners of its own."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def said(path: Path, request: bytes) -> bytes:
    """Send these bytes and return all that comes back."""
    with raw(path) as connection:
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(request)
        return everything(connection)
