"""The story of a cabinet whose UPS runs empty: the pods end in order, the machine goes off, and with the power it comes back
and nobody types. One booted host, read from top to bottom.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from archipel_contract.exits import Exit
from tests.e2e.person import Person, until
from tests.hosts.booted import BootedHost
from tests.hosts.offers import IMAGES

STORY = True
pytestmark = [
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(600),
]

STATUS = "/run/ups-status"
# A UPS server with one UPS, whose status stands in a file.
SERVER = textwrap.dedent(f"""\
    import socketserver
    class Answer(socketserver.StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            status = open("{STATUS}").read().strip()
            lines = ["BEGIN LIST VAR rack", f'VAR rack ups.status "{{status}}"', "END LIST VAR rack", ""]
            self.wfile.write("\\n".join(lines).encode())
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer(("127.0.0.1", 3493), Answer).serve_forever()
""")
MARK = "/var/lib/of-the-pod/mark"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: careful, namespace: kube-system}
spec:
  terminationGracePeriodSeconds: 20
  containers:
  - name: careful
    image: rancher/mirrored-library-busybox:1.37.0
    imagePullPolicy: Never
    command: [sh, -c, "trap 'echo asked >/of/mark; sleep 3; echo done >>/of/mark; exit 0' TERM; while :; do sleep 0.2; done"]
    volumeMounts: [{name: of, mountPath: /of}]
  volumes: [{name: of, hostPath: {path: /var/lib/of-the-pod, type: DirectoryOrCreate}}]
"""


@dataclass
class Cabinet:
    """The machine and who sits at it."""

    host: BootedHost
    person: Person

    def ups_says(self, status: str) -> None:
        self.host.put(status.encode(), STATUS)

    def what_was_done(self) -> str:
        """What the agent and systemd say of the shutdown."""
        told = "archipel audit; systemctl list-jobs; systemd-inhibit --list; journalctl -b -n 60 --no-pager"
        return self.host.run(["sh", "-c", f"({told}) 2>&1"]).stdout


@pytest.fixture(scope="module")
def cabinet(booted: BootedHost) -> Iterator[Cabinet]:
    """A site with a pod that takes its time to end, on a UPS with mains."""
    made = Cabinet(booted, Person(booted))
    made.ups_says("OL CHRG")
    booted.run(["systemd-run", "--unit=ups-server", "python3", "-c", SERVER]).ok()  # it ends with the machine
    booted.install_archipel().ok()
    booted.put(b'ups = "rack@127.0.0.1"\ninterval = 2.0\n', "/etc/archipel/agent.toml")
    booted.run(["systemctl", "restart", "archipel-agent"]).ok()
    assert made.person.up("--images", IMAGES).code == Exit.OK
    booted.put(POD.encode(), "/root/pod.yaml")
    assert made.person.kubectl("apply", "-f", "/root/pod.yaml").rc == 0
    until(lambda: "careful" in made.person.running_pods(), lambda: made.person.objects("pods"))
    yield made


def test_on_battery_it_is_said_and_nothing_else_happens(cabinet: Cabinet) -> None:
    cabinet.ups_says("OB")
    until(lambda: "ups-on-battery" in cabinet.person.findings(), cabinet.person.status, 40)
    assert cabinet.person.status()["node"]["usage"]["supply"] == "battery"
    assert cabinet.host.is_up


def test_on_a_low_battery_the_pods_end_in_order_and_the_machine_goes_off(cabinet: Cabinet) -> None:
    cabinet.ups_says("OB LB")
    until(lambda: not cabinet.host.is_up, cabinet.what_was_done, 150)


@pytest.fixture(scope="module")
def powered_again(cabinet: Cabinet) -> Cabinet:
    """The same machine with its power back; whatever was not on its disk by then is lost."""
    cabinet.host.power_cut()
    cabinet.host.boot()
    return cabinet


def test_with_the_power_everything_comes_back_and_the_pod_had_its_time(powered_again: Cabinet) -> None:
    cabinet = powered_again
    assert cabinet.host.run(["cat", MARK]).ok().stdout == "asked\ndone\n"
    until(lambda: cabinet.person.ready_nodes() == ["edge"], cabinet.host.failed_units, 180)
    audit = cabinet.person.types("audit").stdout
    assert "announce" in audit and "shut-down" in audit


def test_a_silent_ups_is_a_finding_and_leaves_the_machine_on(powered_again: Cabinet) -> None:
    cabinet = powered_again
    until(lambda: "ups-unknown" in cabinet.person.findings(), cabinet.person.status, 60)
    assert cabinet.host.is_up
