"""Booted hosts for the figures: fresh ones, and one with a site that several figures look at.

Used by the modules of this package. Hosts are those of `tests/hosts`: Debian under systemd-nspawn with a real k3s.
"""

import contextlib
import json
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figure import Skipped
from tests.hosts import requirements
from tests.hosts.booted import BootedHost
from tests.hosts.lab import Lab
from tests.hosts.shell import run as run_here

GUEST = Path(__file__).with_name("guest")
PLACE = "/root/benchmarks"
IMAGES = "/var/lib/rancher/k3s/agent/images"  # where k3s imports archives at its start
SETTLE_SECONDS = 45.0  # after `up`: pods start, k3s makes its first rounds

# All hosts have one name and one address, so that one configuration of k3s fits them all.
NAME = "edge"


def missing() -> str | None:
    """Return why there can be no booted host with k3s here."""
    return requirements.missing_for_booted() or requirements.missing_for_k3s()


@contextlib.contextmanager
def fresh_host(product: bool, has_k3s: bool = True) -> Iterator[BootedHost]:
    """Give a booted host with or without the product, k3s and its images laid out unless told otherwise; raise Skipped."""
    why_not = missing()
    if why_not:
        raise Skipped(why_not)
    with Lab() as lab, BootedHost(NAME, lab) as host:
        if has_k3s:
            host.offer_k3s()
            host.offer_images(IMAGES)
        host.allow()
        if product:
            host.install_archipel().ok()
        host.put(GUEST, PLACE)
        host.settle()
        run_here(["sync"], timeout=300)  # writing back what was just copied must not fall into a measurement
        yield host


def in_guest(host: BootedHost, script: str, *words: str, timeout: float = 900.0) -> Any:
    """Run one of the programs in `guest/` with the host's own Python; return the JSON it prints."""
    done = host.run(["python3", f"{PLACE}/{script}.py", *words], timeout=timeout).ok()
    return json.loads(done.stdout)


@dataclass
class Ground:
    """What the figures of one run share."""

    quick: bool = False
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _site: BootedHost | None = None

    def site(self) -> BootedHost:
        """Return the host on which `archipel up` has made a site, left alone for a while; raise Skipped."""
        if self._site is None:
            tell("a booted host becomes a site")
            host = self._open.enter_context(fresh_host(product=True))
            host.run(["archipel", "up"], timeout=600).ok()
            time.sleep(SETTLE_SECONDS)
            self._site = host
        return self._site

    def window(self) -> float:
        """Return how many seconds an idle agent is watched."""
        return 30.0 if self.quick else 120.0

    def close(self) -> None:
        """Take the hosts down."""
        self._open.close()


def agent_pid(host: BootedHost) -> str:
    """Return the pid of the agent's main process inside the host."""
    return host.run(["systemctl", "show", "-P", "MainPID", "archipel-agent"]).ok().stdout.strip()


def guest_python(host: BootedHost) -> str:
    """Return the version of the Python the agent runs on."""
    return host.run(["/opt/archipel/current/bin/python", "-V"]).ok().stdout.strip()


def tell(what: str) -> None:
    """Say on standard error what is going on: some of it takes minutes."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


def words(argv: list[str]) -> str:
    """Return an argument list as one line for a shell."""
    return shlex.join(argv)
