"""The simulated world: one machine with its k3s, its time, and what of both survives a power cut.

The simulated ports look at it and change it; files are not here but behind the Disk door, where the agent finds them
too. Reboot and power cut take what lives in memory: the process, kernel settings, mounts and links. What stays is what
is on disk: unit and link, configuration, the datastore.
"""

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from archipel_agent.host.clock import text
from archipel_agent.k3s.config import KERNEL_SETTINGS
from archipel_agent.paths import Paths
from archipel_agent.ports import Clock, Disk
from archipel_agent.rehearsal import certificates, faults, recordings
from archipel_agent.rehearsal.binary import version_in
from archipel_agent.rehearsal.datastore import Datastore
from archipel_agent.rehearsal.kubeconfig import kubeconfig
from archipel_agent.rehearsal.life import DATASTORE, KUBECONFIG, READY, REGISTERED, Life, Run
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.rehearsal.state import KERNEL_AT_BOOT, MachineState

API_PORT = 6443
LEAST_FREE_BYTES = 8 << 20
PRIVATE = 0o600


class Shared(Protocol):
    """What several machines of one site have in common: see cluster.py."""

    lock: threading.RLock

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return the items of a list as the cluster's API shows them now."""
        ...

    def has_quorum(self) -> bool:
        """Whether a majority of the servers runs."""
        ...


class SimulatedWorld:
    """What the simulated ports share. Every look first brings it up to the present, by the clock."""

    def __init__(self, clock: Clock, disk: Disk, paths: Paths, scenario: Scenario) -> None:
        """A machine that has just booted; a service found on its disk is started."""
        self.clock = clock
        self.disk = disk
        self.paths = paths
        self.scenario = scenario
        self.state = MachineState(facts=scenario.facts)
        self.faults: set[str] = set()
        self.lock = threading.RLock()
        self.life = Life(clock, self._begin)
        self.datastore: Datastore | None = None  # while k3s runs
        self.cluster: Shared | None = None  # of a site of several machines
        self.spoke = clock.monotonic()  # when the kubelet was last heard of by its cluster
        self.boot()
        for name in scenario.faults:
            self.inject(name)

    def share(self, cluster: Shared) -> None:
        """Become one of several servers; whoever looks at one of them locks all."""
        self.cluster = cluster
        self.lock = cluster.lock

    def boot(self) -> None:
        """Come up after a power cut: kernel settings from their file, k3s if its service is enabled."""
        with self.lock:
            state = self.state
            state.booted = self.clock.monotonic()
            state.kernel = {**KERNEL_AT_BOOT, **self._kernel_settings_on_disk()}
            state.traces = False
            for name in self.faults:
                faults.fault(name).inject(state)
            if self.service_enabled():
                self.life.start()

    def lose_power(self) -> None:
        """Everything in memory is gone. Call `boot` once the disk has its power back."""
        with self.lock:
            self.life.lose_power()
            self.datastore = None
            self.state.traces = False
            self.state.boots += 1

    def reboot(self) -> None:
        """An orderly restart of the machine."""
        self.lose_power()
        self.boot()

    def inject(self, name: str) -> None:
        """Make a trouble; raise FaultUnknown."""
        fault = faults.fault(name)
        with self.lock:
            self.settle()
            self.faults.add(name)
            fault.inject(self.state)
            if fault.ends_k3s:
                self.life.kill()

    def heal(self, name: str) -> None:
        """Take a trouble back; what it did to k3s heals by itself or by what the agent does."""
        with self.lock:
            self.settle()
            self.faults.discard(name)
            faults.fault(name).heal(self.state)

    def settle(self) -> None:
        """Bring the world up to the present."""
        with self.lock:
            self.life.settle(self._effects)
            now, run = self.clock.monotonic(), self.life.run
            if run is not None and run.reaches(REGISTERED) <= now:
                self.spoke = now

    def service_enabled(self) -> bool:
        """Whether k3s is started at boot."""
        wanted = self.paths.units / "multi-user.target.wants" / self.paths.k3s_unit.name
        return self.disk.exists(self.paths.k3s_unit) and self.disk.exists(wanted)

    def config(self) -> dict[str, object]:
        """Return the configuration k3s would read: keys of config.yaml with JSON scalars or lists of them."""
        found: dict[str, object] = {}
        items: list[object] = []
        if not self.disk.exists(self.paths.k3s_config):
            return found
        for line in self.disk.read(self.paths.k3s_config).decode().splitlines():
            key, _, value = line.partition(":")
            if line.startswith("  - "):
                items.append(json.loads(line[4:]))
            elif line and not line.startswith("#"):
                items = []
                found[key] = json.loads(value) if value.strip() else items
        return found

    def _kernel_settings_on_disk(self) -> dict[str, str]:
        if not self.disk.exists(self.paths.sysctl):
            return {}
        lines = self.disk.read(self.paths.sysctl).decode().splitlines()
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        return {name.strip(): value.strip() for name, value in pairs}

    def _begin(self, number: int, moment: float) -> Run:
        config = self.config()
        self.datastore = Datastore(self.disk, self.paths)
        recording = self._met(config, self.datastore)
        ends = bool(recording) and recording != "offline-image"
        if not recording:
            recording = "later-start" if self.datastore.node_seen else "first-start"
        return Run(
            number=number,
            began=moment,
            began_at=self.clock.now() - timedelta(seconds=self.clock.monotonic() - moment),
            recording=recording,
            pace=self.scenario.pace * self.state.slowness,
            node=str(config.get("node-name", self.state.facts.hostname)),
            address=str(config.get("node-ip", recordings.ADDRESS)),
            ends=ends,
            config=config,
        )

    def _met(self, config: dict[str, object], datastore: Datastore) -> str:
        """Return the recording of what makes this start fail, in the order a real one would meet it; empty if nothing."""
        state = self.state
        settings = KERNEL_SETTINGS if config.get("protect-kernel-defaults") else {}
        met = {
            "not-executable": not self._binary_runs(),
            "disk-full": state.free_bytes < LEAST_FREE_BYTES,
            "port-taken": any(one.port == API_PORT for one in state.strangers),
            "token-mismatch": not datastore.opens_with(str(config.get("token", ""))),
            "crash-loop": state.interface_lost,
            "memory-cgroup-off": "memory" not in state.facts.cgroups.controllers,
            "kernel-setting-broken": any(state.kernel.get(name) != value for name, value in settings.items()),
            "offline-image": not state.images,
        }
        return next((name for name, is_so in met.items() if is_so), "")

    def _binary_runs(self) -> bool:
        words = self._unit_command()
        place = Path(words[0]) if words else self.paths.k3s_binary
        return self.disk.exists(place) and bool(
            version_in(self.disk.read(place), self.state.facts.architecture)
        )

    def _unit_command(self) -> list[str]:
        if not self.disk.exists(self.paths.k3s_unit):
            return []
        lines = self.disk.read(self.paths.k3s_unit).decode().splitlines()
        return next((line[10:].split() for line in lines if line.startswith("ExecStart=")), [])

    def _effects(self, run: Run, until: float) -> None:
        """Do what this run has done by then and not done yet, in its order."""
        datastore = self.datastore
        if datastore is None:
            return
        if self._due(run, DATASTORE, until):
            datastore.make(str(run.config.get("token", "")), text(self.clock.now()))
            run.effects_done.add(DATASTORE)
        if self._due(run, KUBECONFIG, until):
            self.disk.write(self.paths.kubeconfig, kubeconfig().encode(), PRIVATE)
            certificates.renew(self.disk, self.paths, self.clock.now())
            run.effects_done.add(KUBECONFIG)
        if self._due(run, REGISTERED, until):
            self.state.traces = True
            if not datastore.node_seen:
                datastore.node_seen = True
                datastore.keep()
            run.effects_done.add(REGISTERED)

    @staticmethod
    def _due(run: Run, milestone: str, until: float) -> bool:
        return milestone not in run.effects_done and run.reaches(milestone) <= until

    def api_answers(self) -> bool:
        """Whether the API serves requests now."""
        run = self.life.run
        return run is not None and run.reaches(READY) <= self.clock.monotonic()
