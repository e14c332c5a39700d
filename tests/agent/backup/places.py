"""Places for backups, for tests: what a person may do to one behind its back, and a real SFTP server."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from archipel_agent.backup import targets
from archipel_agent.backup.choosing import target as target_at
from archipel_agent.backup.targets import BackupTarget
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.run import SystemRunner
from archipel_agent.paths import Paths

SSHD = "/usr/sbin/sshd"


@dataclass
class Place:
    """A target with what a person may do to it behind its back."""

    target: BackupTarget
    text: str
    paths: Paths
    directory: Path | None  # where its files really lie


def port() -> int:
    """A free port of this machine's loopback."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def made(text: str, paths: Paths, directory: Path | None) -> Place:
    """A place by the text of the setting."""
    return Place(target_at(text, paths, SystemDisk(), SystemRunner()), text, paths, directory)


@contextmanager
def openssh(home: Path) -> Iterator[tuple[int, Path]]:
    """Run a real OpenSSH server on loopback, its keys in `home`; gives its port and `home`."""
    if not Path(SSHD).exists():
        pytest.skip("no sshd is installed here")
    for name in ("host", "login", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
    shutil.copy(home / "login.pub", home / "authorized")
    number = port()
    (home / "config").write_text(
        f"Port {number}\nListenAddress 127.0.0.1\nHostKey {home}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {home}/authorized\nPasswordAuthentication no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", home / "config"], stderr=subprocess.DEVNULL)
    try:
        _answers(number)
        yield number, home
    finally:
        server.terminate()
        server.wait(10)


def _answers(number: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", number)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens on {number}")


def sftp_place(paths: Paths, server: tuple[int, Path], directory: Path) -> Place:
    """A login at that server, the host key pinned."""
    number, home = server
    files = targets.TargetFiles(paths.settings)
    shutil.copy(home / "login", files.ssh_key)
    files.ssh_key.chmod(0o600)
    key = (home / "host.pub").read_text().split()
    files.known_hosts.write_text(f"[127.0.0.1]:{number} {key[0]} {key[1]}\n")
    user = pwd.getpwuid(os.geteuid()).pw_name
    return made(f"sftp://{user}@127.0.0.1:{number}{directory}", paths, directory)
