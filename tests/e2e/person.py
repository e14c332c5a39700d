"""Somebody who sits at a test host and types: `archipel` in all its forms, plain `kubectl`, and a look at what runs.

Used by the end-to-end tests. Answers are what the commands print, read as JSON; nothing here reaches into the product.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.host import Host
from tests.hosts.offers import K3S
from tests.hosts.shell import Completed

SMALL = ("--no-component", "metrics-server", "--no-component", "local-storage")
INSTALLED = ("archipel",)


def from_checkout() -> tuple[str, ...]:
    """The command of this checkout's environment, which a plain host shows at the same path."""
    return (str(Path(sys.executable).with_name("archipel")),)


@dataclass(frozen=True)
class Answer:
    """What a command with `--json` answered: its exit code, the document (None where it printed none), its remarks."""

    code: int
    document: Any
    remarks: str

    @property
    def finding(self) -> dict[str, Any]:
        """The finding of a job or a problem; empty where there is none."""
        found: dict[str, Any] = (self.document or {}).get("finding") or {}
        return found

    def __str__(self) -> str:
        return f"exit code {self.code}\n{json.dumps(self.document, indent=1)[:6000]}\n{self.remarks[-2000:]}"


class Person:
    """Types commands on one host."""

    def __init__(self, host: Host, command: tuple[str, ...] = INSTALLED) -> None:
        self.host = host
        self._command = command

    def types(self, *words: str, timeout: float = 180.0, env: Mapping[str, str] | None = None) -> Completed:
        """Run `archipel WORDS` to its end."""
        return self.host.run([*self._command, *words], timeout=timeout, env=env)

    def asks(self, *words: str, timeout: float = 180.0, env: Mapping[str, str] | None = None) -> Answer:
        """Run `archipel WORDS --json` and read the answer."""
        done = self.types(*words, "--json", timeout=timeout, env=env)
        lines = done.stdout.splitlines()
        return Answer(done.rc, json.loads(lines[-1]) if lines else None, done.stderr)

    def up(self, *words: str, env: Mapping[str, str] | None = None) -> Answer:
        """`archipel up`, without the components whose start takes longest and that no test here needs."""
        return self.asks("up", *SMALL, *words, env=env)

    def status(self) -> dict[str, Any]:
        """The report of `archipel status --fresh`."""
        document: dict[str, Any] = self.asks("status", "--fresh").document
        return document

    def findings(self) -> dict[str, dict[str, Any]]:
        """What `archipel doctor` finds, by code."""
        answer = self.asks("doctor")
        assert "results" in (answer.document or {}), answer
        return {one["code"]: one for result in answer.document["results"] for one in result["findings"]}

    def kubectl(self, *words: str, timeout: float = 60.0) -> Completed:
        """Plain kubectl of the stock k3s, nothing of ours in between."""
        return self.host.run([K3S, "kubectl", *words], timeout=timeout)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind in all namespaces, as plain kubectl shows them; none while the API does not answer."""
        done = self.kubectl("get", kind, "--all-namespaces", "-o", "json")
        items: list[dict[str, Any]] = json.loads(done.stdout)["items"] if done.rc == 0 else []
        return items

    def ready_nodes(self) -> list[str]:
        """Names of the nodes that plain kubectl shows as Ready."""
        return [one["metadata"]["name"] for one in self.objects("nodes") if condition(one, "Ready") == "True"]

    def running_pods(self) -> dict[str, str]:
        """Name -> uid of the pods that plain kubectl shows as running with all containers ready."""
        return {
            one["metadata"]["name"]: one["metadata"]["uid"]
            for one in self.objects("pods")
            if one["status"]["phase"] == "Running" and condition(one, "Ready") == "True"
        }

    def containers(self) -> dict[str, list[str]]:
        """Name of each pod -> ids of its containers, as plain kubectl shows them; a new id is a restart."""
        return {
            one["metadata"]["name"]: sorted(
                each["containerID"] for each in one["status"]["containerStatuses"]
            )
            for one in self.objects("pods")
            if one["status"]["phase"] == "Running"
        }

    def processes(self, program: str) -> list[int]:
        """Pids (as the host numbers them) of the living processes whose first word ends in `program`."""
        found = []
        for line in self.host.run(["ps", "-eo", "pid=,stat=,args="]).ok().stdout.splitlines():
            pid, state, *words = line.split()
            if words and words[0].endswith(program) and not state.startswith("Z"):
                found.append(int(pid))
        return found

    def k3s_pid(self) -> int:
        """The pid of the one k3s server."""
        (pid,) = self.processes("k3s") or self.processes("server")
        return pid


def condition(thing: dict[str, Any], kind: str) -> str:
    """The status of one condition of a Kubernetes object: "True", "False", "Unknown", or empty."""
    found = (one["status"] for one in thing["status"].get("conditions", []) if one["type"] == kind)
    return next(found, "")


def until(wanted: Callable[[], bool], tell: Callable[[], object], seconds: float = 120.0) -> float:
    """Poll twice a second until it is so; returns the seconds it took. `tell` is the message of the failure."""
    begun = time.monotonic()
    while not wanted():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not within {seconds:g} s: {tell()}")
        time.sleep(0.5)
    return time.monotonic() - begun
