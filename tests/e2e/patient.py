"""A site on a light host that is damaged and repaired: what the tests of repairs share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archipel_contract.exits import Exit
from tests.e2e.person import Person, from_checkout, until
from tests.hosts.host import Host
from tests.hosts.lab import GATEWAY
from tests.hosts.offers import IMAGES, K3S_DROP_IN
from tests.hosts.shell import Spawned

HERE = Path(__file__).parent
PYTHON = str(Path(from_checkout()[0]).with_name("python"))
AGENT = "sure_clock.py"
MARKER = ("configmap", "marker")
WORK = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: default}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec:
      tolerations: [{operator: Exists}]
      containers: [{name: sleeper, image: %s, imagePullPolicy: Never}]
"""


class Patient(Person):
    """Somebody at a site that things happen to."""

    def __init__(self, host: Host, command: tuple[str, ...] | None = None) -> None:
        super().__init__(host, command or from_checkout())
        self.nic = "eth0"
        self.node = host.name
        self.marker: dict[str, Any] = {}

    @contextmanager
    def agent(self, healing: str = "off") -> Iterator[Spawned]:
        """The agent runs meanwhile; k3s goes on after it."""
        env = {"ARCHIPEL_INTERVAL": "1", "ARCHIPEL_SELF_HEALING": healing}
        agent = self.host.spawn([PYTHON, str(HERE / AGENT)], env=env)
        try:
            until(lambda: self.asks("agent", "status").code == Exit.OK, agent.output, 30)
            yield agent
        finally:
            self.host.run(["pkill", "-f", AGENT])
            agent.wait(30)

    def is_set_up(self, *drop_ins: str) -> None:
        """Make the site, with objects by which it is known again; its agent has gone then."""
        if drop_ins:
            before = self.host.run(["cat", K3S_DROP_IN]).stdout
            self.host.put(("\n".join([before.rstrip(), *drop_ins]) + "\n").encode(), K3S_DROP_IN)
        with self.agent():
            up = self.up("--images", IMAGES)
            assert up.code == Exit.OK, up
            self.is_given_work()
        self.marker = self.known_by()

    def is_given_work(self) -> None:
        """Put a marker and a deployment on the site, from an image that is there."""
        image = self.objects("pods")[0]["spec"]["containers"][0]["image"]
        self.kubectl("create", *MARKER, "--from-literal=kept=yes").ok()
        self.host.put((WORK % image).encode(), "/root/worker.yaml")
        self.kubectl("apply", "-f", "/root/worker.yaml").ok()

    def known_by(self) -> dict[str, Any]:
        """Unique ids of the node, of the marker and of the deployment; empty while the API does not answer."""
        wanted = {"nodes": self.node, "configmaps": "marker", "deployments": "worker"}
        return {
            kind: one["metadata"]["uid"]
            for kind, name in wanted.items()
            for one in self.objects(kind)
            if one["metadata"]["name"] == name
        }

    def k3s_is_off(self) -> None:
        """End k3s as a power cut does; nobody starts it while no agent runs."""
        self.host.run(["sh", "-c", "kill -9 $(cut -d' ' -f1 /run/archipel/k3s.pid)"]).ok()
        until(lambda: not self.processes("k3s") and not self.processes("server"), lambda: "k3s goes on", 30)

    def is_damaged(self, what: str) -> None:
        """Something of k3s is damaged while it is off."""
        self.k3s_is_off()
        self.host.run([PYTHON, str(HERE / "damage.py"), what]).ok()

    def card_changes(self, name: str, address: str) -> None:
        """The network card has another name and another address from now on."""
        words = (
            f"ip link set {self.nic} down; ip link set {self.nic} name {name}; ip addr flush dev {name}",
            f"ip addr add {address}/24 dev {name}; ip link set {name} up; ip route replace default via {GATEWAY}",
        )
        self.host.run(["sh", "-ec", "; ".join(words)]).ok()
        self.nic = name

    def shows(self, code: str, seconds: float = 90.0) -> dict[str, Any]:
        """Wait until the doctor finds it; returns the finding."""
        seen: dict[str, dict[str, Any]] = {}

        def is_found() -> bool:
            seen.update(self.findings())
            return code in seen

        until(is_found, lambda: (sorted(seen), self.log()), seconds)
        return seen[code]

    def log(self, lines: int = 30) -> str:
        """The end of k3s' log."""
        return self.types("logs", "k3s", "-n", str(lines)).stdout

    def repairs(self, code: str, *words: str) -> None:
        """The one command; afterwards the site is the same, and well."""
        done = self.asks("repair", code, "--yes", *words, timeout=300)
        assert done.code == Exit.OK, (str(done), self.log())
        self.is_well_again(code)

    def is_well_again(self, code: str) -> None:
        """Ready, the same node, the same objects, and the finding has gone."""
        until(lambda: self.ready_nodes() == [self.node], self.status, 120)
        until(lambda: self.known_by() == self.marker, lambda: (self.known_by(), self.marker), 60)
        until(lambda: code not in self.findings(), self.findings, 60)
