"""The fleet on another machine of the plant's network: a real controller with its broker, at the gateway of the hosts.

Used by the end-to-end tests of boxes that have a network card and nothing else. It is there all the time; whether a box
reaches it is a matter of its cable.
"""

import json
import os
import time
from pathlib import Path
from typing import Any, Self

from tests.demo.grounds import PROGRAM
from tests.hosts import shell
from tests.hosts.lab import GATEWAY, Lab

START_SECONDS = 60.0


class FleetOutside:
    """A controller in the network `lab`. Use as a context manager."""

    def __init__(self, lab: Lab, place: Path) -> None:
        self._lab = lab
        self._data = place / "controller"
        self._ready = place / "ready"
        self._controller = shell.spawn(
            [
                *lab.enter(),
                *PROGRAM,
                *("fleet", "serve", "--data", str(self._data), "--listen", "127.0.0.1:0"),
                *("--names", GATEWAY, "--ready-file", str(self._ready)),
            ],
            env={**os.environ},
            output=place / "controller.log",
        )
        self._url = ""

    def __enter__(self) -> Self:
        until = time.monotonic() + START_SECONDS
        while not (self._ready.exists() and self._ready.read_text().strip()):
            if self._controller.rc is not None or time.monotonic() > until:
                said = self._controller.output()[-3000:]
                self._controller.stop()
                raise AssertionError(f"the controller did not start: {said}")
            time.sleep(0.05)
        self._url = self._ready.read_text().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop(grace=10.0)

    def asks(self, *words: str) -> Any:
        """Return what `archipel fleet WORDS --json` says there."""
        env = {**os.environ, "ARCHIPEL_FLEET_DATA": str(self._data), "ARCHIPEL_FLEET_URL": self._url}
        done = shell.run([*self._lab.enter(), *PROGRAM, "fleet", *words, "--json"], env=env, timeout=30).ok()
        return json.loads(done.stdout.splitlines()[-1])

    def link(self) -> str:
        """A link by which one device enrols."""
        return str(self.asks("token", "new")["link"])

    def devices(self) -> list[dict[str, Any]]:
        """The devices it knows."""
        said = self.asks("devices")
        found: list[dict[str, Any]] = said["rows"] if isinstance(said, dict) else said
        return found
