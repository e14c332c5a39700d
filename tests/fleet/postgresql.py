"""A PostgreSQL server of the tests' own: made, started, killed and removed by them; loopback only, never the system's.

Started once for a session (`postgresql` fixture); a test that kills it starts it again. It runs without privileges, as it
refuses to run as root, and with fsync on, as what is tested is what survives.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
START_SECONDS = 20.0


@dataclass
class Server:
    """One server with its data directory; databases are made when asked for."""

    directory: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    made: int = 0
    again: str = ""
    identity: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it listens, without a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers."""
        log = (self.directory / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [PROGRAMS / "postgres", "-D", self.directory / "data", "-p", str(self.port),
                 "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.directory}",
                 "-c", "max_connections=60", "-c", "shared_buffers=32MB", "-c", "autovacuum=off"],
                stdout=log, stderr=log, cwd=self.directory, start_new_session=True, **self.identity,
            )  # fmt: skip
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(f"{self.address}/postgres", connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """Kill it as a power cut would, all of its processes at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        # Its children end when they notice that the postmaster is gone; what they hold of shared memory must go first.
        (self.directory / "data" / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it without the care it would take of data that somebody needs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)

    def database(self) -> str:
        """Make an empty database and return its address."""
        self.made += 1
        name = f"fleet_{self.made}"
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{self.address}/{name}"

    def emptied(self) -> str:
        """Return the address of a database that is used again and again, with every row of ours deleted.

        Making a database takes a second on a busy disk.
        """
        if not self.again:
            self.again = self.database()
        with psycopg.connect(self.again, autocommit=True) as connection:
            found = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (name,) in found:
                if name != "archipel_schema":
                    connection.execute(f"DELETE FROM {name}".encode())
        return self.again


def _identity() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise LookupError("neither postgres nor nobody is a user of this machine")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def server() -> Iterator[Server]:
    """Make a server, start it, and remove all of it afterwards."""
    # Not below pytest's own directory: that is closed to the user the server runs as.
    directory = Path(tempfile.mkdtemp(prefix="archipel-postgresql-"))
    identity = _identity()
    if identity:
        os.chown(directory, identity["user"], identity["group"])
    one = Server(directory, _free_port(), identity=identity)
    try:
        subprocess.run(
            [PROGRAMS / "initdb", "-D", directory / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync", "--no-instructions"],
            check=True, capture_output=True, cwd=directory, **identity,
        )  # fmt: skip
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """The session's server."""
    with server() as one:
        yield one
