"""What the contract suite stands on: a machine with k3s behind the two ports, simulated or real, told the same things."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from archipel_agent.k3s import parse
from archipel_agent.k3s.config import KERNEL_SETTINGS
from archipel_agent.paths import Paths
from archipel_agent.ports import K3sHost, KubeApi
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.steps.identity import identity_file
from archipel_contract.status import ClusterStatus, ServiceState
from tests.agent.contract_k3s.real import Driver, RealK3sHost, RealKubeApi, files, spec
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk
from tests.hosts import shell
from tests.hosts.host import Host

NODE_NAME = "edge"
IMAGE_DIRECTORY = "/var/lib/rancher/k3s/agent/images"
PAUSE_SECONDS = 0.5
API_PORT = 6443
LISTENER = f"import socket, time; s = socket.create_server(('', {API_PORT})); print('up', flush=True); time.sleep(3600)"


class Machine(Protocol):
    """The side of a ground that differs."""

    address: str
    binary: Path

    @property
    def k3s(self) -> K3sHost:
        """Its k3s."""
        ...

    @property
    def kube(self) -> KubeApi:
        """Its API."""
        ...

    def write(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Lay a file on the machine."""
        ...

    def mode(self, path: Path) -> int | None:
        """Return the permission bits of a file, None if there is none."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file of the machine."""
        ...

    def pause(self, seconds: float) -> None:
        """Let time pass on the machine."""
        ...

    def take_port(self) -> None:
        """Listen where the API would."""
        ...

    def free_port(self) -> None:
        """Stop listening there."""
        ...


class SimulatedMachine:
    """The rehearsal's."""

    def __init__(self) -> None:
        scenario = Scenario()
        self.clock, self.disk = VirtualClock(), TreacherousDisk()
        made = rehearse(Paths(), scenario, self.clock, self.disk)
        self.k3s, self.kube, self.world = made.ports.k3s, made.ports.kube, made.world
        self.address = "192.168.4.27"
        self.binary = Path("/usr/bin/k3s")
        self.world.state.kernel.update(KERNEL_SETTINGS)
        self.disk.copy(self.binary, Paths().k3s_binary, 0o755)

    def write(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """See Machine."""
        self.disk.write(path, data, mode)

    def mode(self, path: Path) -> int | None:
        """See Machine."""
        return self.disk.mode(path)

    def remove(self, path: Path) -> None:
        """See Machine."""
        self.disk.remove(path)

    def pause(self, seconds: float) -> None:
        """See Machine."""
        self.clock.advance(seconds)

    def take_port(self) -> None:
        """See Machine."""
        self.world.inject("port-taken")

    def free_port(self) -> None:
        """See Machine."""
        self.world.heal("port-taken")


class RealMachine:
    """A throw-away host with a real k3s."""

    def __init__(self, host: Host, pause: Callable[[float], None]) -> None:
        self._host = host
        self._pause = pause
        self._listener: shell.Spawned | None = None
        self.driver = Driver(host)
        self.k3s, self.kube = RealK3sHost(self.driver), RealKubeApi(self.driver)
        self.address = host.ip
        self.binary = Path(host.offer_k3s())
        host.allow()
        host.offer_images(IMAGE_DIRECTORY)

    def write(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """See Machine."""
        self._host.put(data, str(path), mode)

    def mode(self, path: Path) -> int | None:
        """See Machine."""
        seen = self._host.run(["stat", "-c", "%a", str(path)])
        return int(seen.stdout, 8) if seen.rc == 0 else None

    def remove(self, path: Path) -> None:
        """See Machine."""
        self._host.run(["rm", "-f", str(path)]).ok()

    def pause(self, seconds: float) -> None:
        """See Machine."""
        self._pause(seconds)

    def take_port(self) -> None:
        """See Machine."""
        self._listener = self._host.spawn([sys.executable, "-c", LISTENER])
        for _ in range(100):
            if "up" in self._listener.output():
                return
            self._pause(0.1)

    def free_port(self) -> None:
        """See Machine."""
        self._host.run(["pkill", "-9", "-f", "socket.create_server"])
        if self._listener is not None:
            self._listener.stop()


class Ground:
    """One machine under the contract, with the words the clauses use."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.k3s, self.kube = machine.k3s, machine.kube
        self.paths = Paths()
        self.spec = spec(self.paths)
        self.identity = identity_file(self.paths)

    def configured(self) -> None:
        """Our configuration is on the machine."""
        for path, (data, mode) in files(self.paths, self.machine.address, NODE_NAME).items():
            self.machine.write(path, data, mode)

    def installed(self) -> None:
        """k3s is a service and does not run."""
        self.configured()
        if not self.k3s.service_installed(self.spec):
            self.k3s.install_service(self.spec)

    def ready(self) -> ClusterStatus:
        """k3s runs and its node is Ready."""
        self.installed()
        if self.k3s.status().state is ServiceState.STOPPED:
            self.k3s.start()
        self.until(lambda: any(node.ready for node in self.cluster().nodes), 120)
        return self.cluster()

    def cluster(self) -> ClusterStatus:
        """The cluster as its API shows it."""
        ask = self.kube.request
        ready = ask("GET", "/readyz")
        if ready.status == 0:
            return parse.cluster(ready, ready, ready)
        return parse.cluster(ready, ask("GET", "/api/v1/nodes"), ask("GET", "/api/v1/pods"))

    def until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait until it holds; AssertionError after so many seconds of the machine's."""
        for _ in range(int(seconds / PAUSE_SECONDS)):
            if holds():
                return
            self.machine.pause(PAUSE_SECONDS)
        raise AssertionError(f"did not come about within {seconds:g} s; the log ends {self.k3s.log(3)}")
