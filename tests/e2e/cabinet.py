"""A box in a cabinet: a booted host with Archipel on it, a stick in its slot, and nobody there until somebody comes.

What the tests of that story share. `person.py` asks in JSON; here commands are typed as a technician types them and shown
with what they say, so that what a run prints is its transcript.
"""

import json
import time
from pathlib import Path
from typing import Any, Self

from archipel_contract.exits import Exit
from tests.e2e.maker import FILE, PUBLIC, make_bundle
from tests.e2e.patient import Patient
from tests.e2e.person import INSTALLED, until
from tests.hosts import requirements
from tests.hosts.booted import BootedHost
from tests.hosts.fixtures import skip_without
from tests.hosts.lab import GATEWAY
from tests.hosts.shell import Completed

SLOT = "/boot/firmware"  # where a stick counts as the boot partition
ANSWERS, RESULT = "archipel.toml", "archipel-result"
KEYS = "/etc/archipel/bundle-keys"
NETWORK = "/etc/systemd/network/10-host0.network"
# A machine of a plant has its address whether its cable is in or not.
ADDRESS = """\
[Match]
Name=host0 lan7

[Link]
RequiredForOnline=no

[Network]
Address={ip}/24
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
ConfigureWithoutCarrier=yes
IgnoreCarrierLoss=yes
"""
AGENT = "archipel-agent.service"
TAKES_SECONDS = 120.0


def prepared_stick(place: Path, text: str) -> Path:
    """Return `place` with a bundle and this answer file in it, as prepared at a desk; the test is skipped without a k3s."""
    skip_without(requirements.missing_for_booted())
    skip_without(requirements.missing_for_k3s())
    make_bundle(place, ("pause", "coredns"))
    (place / ANSWERS).write_text(text)
    return place


class Cabinet(Patient):
    """Somebody who may come to the box and type, once it does what it does by itself."""

    def __init__(self, host: BootedHost) -> None:
        super().__init__(host, INSTALLED)
        self.box = host
        self.begun = time.monotonic()

    @classmethod
    def with_stick(cls, host: BootedHost, stick: Path) -> Self:
        """A box with the stick in it, switched on without a cable."""
        made = cls(host)
        made.node = "edge-07"
        made.is_given_the_program(stick / FILE)
        made.has_address(host.ip)
        made.is_switched_on(stick, cable=False)
        return made

    def notes(self, text: str) -> None:
        """Write what happens into the transcript, with the seconds since its beginning."""
        print(f"[{time.monotonic() - self.begun:6.1f} s] {text}", flush=True)

    def tells(self, *words: str, timeout: float = 300.0, code: Exit | None = Exit.OK) -> Completed:
        """Type a command, show what it says but for what only counts, and hold it to its exit code unless that is None."""
        begun = time.monotonic()
        done = self.types(*words, timeout=timeout)
        took = time.monotonic() - begun
        lines = (done.stdout + done.stderr).splitlines()
        said = "\n".join(f"    {line}" for line in lines if ": waiting for " not in line)
        self.notes(
            f"{self.host.name}# archipel {' '.join(words)}   ({took:.1f} s, exit code {done.rc})\n{said}"
        )
        assert code is None or done.rc == code, f"{done}\n{self.said()}"
        return done

    # -- the box ---------------------------------------------------------------------------------------------
    def is_given_the_program(self, bundle: Path) -> None:
        """Install Archipel and the public key of who makes its bundles, as an image for such boxes has them."""
        self.host.allow()
        self.host.install_archipel(arguments=("--no-start",)).ok()
        self.host.put(bundle.with_name(PUBLIC), f"{KEYS}/{PUBLIC}")

    def has_address(self, ip: str) -> None:
        """Set the address; it counts from the next start on, or once networkd reads it again."""
        self.host.put(ADDRESS.format(ip=ip, gateway=GATEWAY).encode(), NETWORK)

    def is_switched_on(self, stick: Path, *, cable: bool) -> None:
        """Put the stick in and switch the box on."""
        self.box.power_off()
        self.box.plug(stick, SLOT)
        self.begun = time.monotonic()
        self.box.boot(cable=cable)
        self.notes(f"{self.host.name} is switched on, {'its cable is in' if cable else 'without a cable'}")

    # -- what lies on the stick ------------------------------------------------------------------------------
    def result(self) -> dict[str, Any]:
        """The result beside the answers; empty while there is none."""
        try:
            said: dict[str, Any] = json.loads(self.host.get(f"{SLOT}/{RESULT}.json"))
        except FileNotFoundError:
            return {}
        return said

    def deeds(self) -> set[str]:
        """What has been done of the answers, as far as the stick says."""
        return {one["deed"] for one in self.result().get("done", [])}

    def has_done(self, deed: str, seconds: float = TAKES_SECONDS) -> None:
        """Wait until the stick says so."""
        until(lambda: deed in self.deeds(), self.said, seconds)
        self.notes(f"{RESULT}.txt on the stick:\n{self.result_text()}")

    def result_text(self) -> str:
        """The result for people, set in by four."""
        lines = self.host.get(f"{SLOT}/{RESULT}.txt").decode().splitlines()
        return "\n".join(f"    {line}" for line in lines)

    def said(self) -> str:
        """For the message of a failure."""
        log = self.host.run(["journalctl", "-u", AGENT, "-o", "cat", "-n", "60"]).stdout
        k3s = self.host.run(["journalctl", "-u", "k3s", "-o", "cat", "-n", "25"]).stdout
        return f"{json.dumps(self.result(), indent=1)[:3000]}\n{log}\n{k3s[-3000:]}"

    # -- what is outside -------------------------------------------------------------------------------------
    def lets_in(self, port: int, address: str = "") -> bool:
        """Whether a port of the box answers to another machine of its network."""
        knock = f"exec 3<>/dev/tcp/{address or self.host.ip}/{port}"
        return self.host.lab.run(["timeout", "2", "bash", "-c", knock]).rc == 0

    def is_well(self, seconds: float = TAKES_SECONDS) -> None:
        """Wait until the node is Ready, its core pods run, and it is the same node with the same objects."""
        begun = time.monotonic()
        until(lambda: self.ready_nodes() == [self.node], self.said, seconds)
        if self.marker:
            until(lambda: self.known_by() == self.marker, lambda: (self.known_by(), self.marker), 60)
        until(self._pods_run, lambda: (self.running_pods(), self.said()), seconds)
        took = time.monotonic() - begun
        same = ", the same node, marker and deployment" if self.marker else ""
        self.notes(f"Ready{same}, pods run: {took:.1f} s")

    def _pods_run(self) -> bool:
        wanted = ("coredns-", "worker-") if self.marker else ("coredns-",)
        pods = self.running_pods()
        return all(any(name.startswith(one) for name in pods) for one in wanted)
