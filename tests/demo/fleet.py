"""The demo's fleet: a controller with its embedded broker, and ten rehearsed sites of three nodes, some of them silent.

Everything lies below one directory that goes with the demo. Reached as its users reach it: the command line, the web page.
"""

import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.brokers.servers import free_port
from tests.demo.grounds import PROGRAM
from tests.hosts import shell

START_SECONDS = 40.0
SCENARIO = Path(__file__).resolve().parents[2] / "docs/scenarios/demo.toml"
SITES = 10
NODES = 3
EVERY = 5  # seconds between two words of a site that is always on: silence shows after 2.5 times as long


class NotStarted(Exception):
    """A part of the fleet did not start; the message carries what it said."""


class Fleet:
    """A running controller; `rehearse` adds the sites."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="archipel-fleet-")
        self.root = Path(self._directory.name)
        self.data = self.root / "controller"
        self.stage = self.root / "stage"
        self.broker_port, self.enrol_port = free_port(), free_port()
        self._parts: list[shell.Spawned] = []
        ready = self.root / "ready"
        try:
            self._controller = self._start(
                "controller",
                *("fleet", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0"),
                *("--broker-port", str(self.broker_port), "--ready-file", str(ready)),
                *("--enrol-listen", f"127.0.0.1:{self.enrol_port}"),
            )
            self._await(ready, self._controller)
            self.address = ready.read_text().strip()
        except BaseException:
            self.close()
            raise

    @property
    def first_words(self) -> str:
        """What the controller says at its first start: the account and its password, once."""
        return next((line for line in self._controller.output().splitlines() if "password" in line), "")

    @property
    def ports(self) -> tuple[int, int]:
        """Where devices connect: the broker, and where they get their certificates."""
        return self.broker_port, self.enrol_port

    def invitation(self, uses: int = 1) -> str:
        """Return a link by which so many devices may enrol."""
        made = self.asks("token", "new", "--uses", str(uses))
        if not made:
            raise NotStarted(f"the controller gave no token: {self.said()}")
        return str(made["link"])

    def rehearse(self) -> None:
        """Start the rehearsed sites; returns at once."""
        link = self.invitation(SITES * NODES)
        self._start(
            "rehearsal",
            *("rehearse", "--sites", str(SITES), "--nodes", str(NODES), "--enrol", link),
            *("--scenario", str(SCENARIO), "--root", str(self.stage)),
            *("--interval", "3", "--metrics-every", str(EVERY)),
        )

    def steer(self, *words: str) -> None:
        """Make or heal a trouble on the stage; raises CommandFailed."""
        self.archipel("rehearse", "ctl", str(self.stage), *words).ok()

    def archipel(self, *words: str, timeout: float = 30.0) -> shell.Completed:
        """Run `archipel WORDS` as the admin of this controller."""
        return shell.run([*PROGRAM, *words], env=self._environment(), timeout=timeout)

    def asks(self, *words: str) -> Any:
        """Return what `archipel fleet WORDS --json` says; None when it says nothing."""
        said = self.archipel("fleet", *words, "--json").stdout.strip()
        return json.loads(said.splitlines()[-1]) if said else None

    def page(self, path: str) -> str:
        """Return a web page (or an answer of the API) as a browser that has logged in gets it."""
        if not hasattr(self, "_browser"):
            self._browser = httpx.Client(base_url=self.address, follow_redirects=True, timeout=20)
            form = self._browser.get("/login").text
            fields = dict(re.findall(r'name="([a-z_]+)"[^>]*value="([^"]*)"', form))
            password = self.first_words.partition("password ")[2].split(" ")[0]
            self._browser.post("/login", data={**fields, "name": "admin", "password": password})
        return self._browser.get(path).raise_for_status().text

    def measures(self) -> str:
        """Return what the controller shows to Prometheus."""
        token = (self.data / "cli.token").read_text().strip()
        reply = httpx.get(f"{self.address}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=20)
        return reply.raise_for_status().text

    def said(self) -> str:
        """What all parts wrote."""
        return "\n".join(part.output()[-3000:] for part in self._parts)

    def close(self) -> None:
        """End everything, the sites first."""
        if hasattr(self, "_browser"):
            self._browser.close()
        for part in reversed(self._parts):
            part.stop(grace=10.0)
        self._directory.cleanup()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ARCHIPEL_FLEET_DATA": str(self.data),
            "ARCHIPEL_FLEET_URL": getattr(self, "address", ""),
        }

    def _start(self, name: str, *words: str) -> shell.Spawned:
        part = shell.spawn([*PROGRAM, *words], env={**os.environ}, output=self.root / f"{name}.log")
        self._parts.append(part)
        return part

    def _await(self, path: Path, part: shell.Spawned) -> None:
        until = time.monotonic() + START_SECONDS
        while not (path.exists() and path.read_text().strip()):
            if part.rc is not None or time.monotonic() > until:
                raise NotStarted(f"the controller did not start: {part.output()[-3000:]}")
            time.sleep(0.05)
