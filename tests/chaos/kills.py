"""A light host with the real agent and a real k3s, on which either is killed (SIGKILL) at chosen moments of a job.

Used by `test_real_kills.py`. The agent is kept as systemd would keep it: started again two tenths of a second after every
end but a good one. k3s is kept by the agent.
"""

import json
import random
import re
import time
from dataclasses import dataclass, field

from tests.e2e.person import Person, from_checkout
from tests.hosts.offers import IMAGES
from tests.hosts.plain import PlainHost
from tests.hosts.seen import FileSeen

AGENT, K3S = "agent", "k3s"
# An agent that has ended well (a removal) stays away, as its unit is gone then; every other end is followed by a start.
KEEPER = 'until "$@"; do sleep 0.2; test -e /var/lib/archipel/state.db || exit; done'
SERVER = re.compile(r" *\d+ /\S+/k3s server\b")
CORE = "coredns-"
# What differs between two runs of the same: keys, certificates and databases of k3s, our records, logs; and a directory
# for volume plugins, which a machine that k3s ran on before has in its lower layer.
NOT_COMPARED = (
    "/var/lib/rancher",
    "/var/lib/archipel",
    "/var/log",
    "/tmp",
    "/root",
    "/home",
    "/etc/rancher/node",
    "/usr/libexec/kubernetes",
)
# Named after pods and containers, which are new each time: only whether there is anything counts.
EVER_NEW = ("/var/lib/cni/", "/var/lib/kubelet/", "/var/log/pods/", "/var/log/containers/")
STAYS = ("50-host.yaml", "50-host.toml")
JOB_SECONDS = 240.0


@dataclass(frozen=True)
class Kill:
    """What is killed, so many seconds after a job began."""

    victim: str
    after: float


@dataclass
class Ran:
    """How a job went: its end, its time in seconds, and where each kill fell."""

    state: str
    seconds: float
    fell: list[str] = field(default_factory=list)


class Box:
    """The machine and whoever sits there."""

    def __init__(self, host: PlainHost) -> None:
        self.host = host
        self.person = Person(host, from_checkout())
        self.bare = self.picture()

    def keep_agent(self) -> None:
        """Have an agent run from now until it takes its leave."""
        self.host.spawn(["sh", "-c", KEEPER, "sh", *from_checkout(), "agent", "run"])
        end = time.monotonic() + 20
        while self.person.types("agent", "status").rc != 0:
            assert time.monotonic() < end, "the agent does not answer"
            time.sleep(0.1)

    def job(self, words: tuple[str, ...], kills: list[Kill]) -> Ran:
        """Run `archipel WORDS` to its end, and kill meanwhile; a moment after the end counts as its end."""
        output = self.host.ground.directory / f"job-{time.monotonic_ns()}.json"
        begun = time.monotonic()
        process = self.host.spawn([*from_checkout(), *words, "--json"], output=output)
        ran = Ran("", 0.0)
        for kill in sorted(kills, key=lambda one: one.after):
            while process.rc is None and time.monotonic() < begun + kill.after:
                time.sleep(0.005)
            ran.fell.append(self._strike(kill.victim, time.monotonic() - begun, process.output()))
        code = process.wait(JOB_SECONDS)
        ran.seconds = time.monotonic() - begun
        said = process.output()
        ran.state = (
            json.loads(said.splitlines()[-1])["state"] if code == 0 else f"exit code {code}: {said[-3000:]}"
        )
        return ran

    def _strike(self, victim: str, at: float, said: str) -> str:
        pids = self._agent() if victim == AGENT else self._k3s()
        for pid in pids:
            self.host.run(["kill", "-KILL", str(pid)])
        steps = [
            line.strip("> .") for line in said.splitlines() if line.startswith("> ") and line.endswith("...")
        ]
        return f"{victim} {'killed' if pids else 'not there'} after {at:.2f} s, at {steps[-1] if steps else 'the start'!r}"

    def _agent(self) -> list[int]:
        shown = self.host.run(["pgrep", "-f", "agent run"]).stdout.split()
        keepers = set(self.host.run(["pgrep", "-x", "sh"]).stdout.split())
        return [int(pid) for pid in shown if pid not in keepers]

    def _k3s(self) -> list[int]:
        shown = self.host.run(["ps", "-eo", "pid=,args="]).ok().stdout.splitlines()
        return [int(line.split()[0]) for line in shown if SERVER.match(line)]

    def wait_gone(self) -> None:
        """Wait until the agent has taken its leave."""
        end = time.monotonic() + 30
        while self._agent():
            assert time.monotonic() < end, "the agent does not leave"
            time.sleep(0.1)

    def k3s_processes(self) -> list[int]:
        """Living processes of k3s: the server, its containerd, the shims."""
        return [
            pid
            for name in ("k3s", "server", "containerd", "containerd-shim-runc-v2")
            for pid in self.person.processes(name)
        ]

    def picture(self) -> dict[str, object]:
        """Everything that has to be the same at the end of two runs, by name."""
        files = {
            f"file {_place(path)}": _looks(path, seen)
            for path, seen in self.host.snapshot_files(NOT_COMPARED).items()
            if seen.kind != "directory" and not path.endswith(STAYS) and "__pycache__" not in path
        }
        links = {
            f"link {name}": kind for name, kind in self.host.links().items() if not name.startswith("veth")
        }
        rules = {f"rule {rule.split()[0]}": "k3s" for rule in self.host.firewall_rules() if "KUBE" in rule}
        mounts = {f"mount below {place}": "k3s" for place in self._mounts()}
        return {**files, **links, **rules, **mounts}

    def _mounts(self) -> set[str]:
        places = ("/run/k3s", "/var/lib/kubelet/pods", "/run/netns/cni-")
        return {place for mount in self.host.mounts() for place in places if mount.point.startswith(place)}

    def is_ready(self) -> str:
        """Why the site is not as `up` promises; empty when it is: Ready, cluster DNS running, one k3s, nothing to do."""
        if self.person.ready_nodes() != ["light"]:
            return f"nodes ready: {self.person.ready_nodes()}"
        if not any(name.startswith(CORE) for name in self.person.running_pods()):
            return f"pods running: {self.person.running_pods()}"
        servers = self.person.processes("k3s") + self.person.processes("server")
        if len(servers) != 1:
            return f"k3s servers: {servers}"
        report = self.person.status()
        problems = [one["code"] for one in report["findings"] if one["severity"] == "problem"]
        return "" if report["health"] == "healthy" and not problems else f"{report['sentence']} {problems}"

    def await_ready(self, seconds: float = 90.0) -> str:
        """Wait for it; returns why not, empty when all is well."""
        end = time.monotonic() + seconds
        while (why_not := self.is_ready()) and time.monotonic() < end:
            time.sleep(0.5)
        return why_not


UP = ("up", "--images", IMAGES, "--no-component", "metrics-server", "--no-component", "local-storage")
DOWN = ("down",)
REMOVE = ("remove", "--everything", "--yes")


@dataclass
class Usual:
    """An undisturbed round: how long each job takes, and the machine after it."""

    seconds: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, dict[str, object]] = field(default_factory=dict)


def _looks(path: str, seen: FileSeen) -> object:
    return "k3s" if path.startswith(EVER_NEW) else (seen.kind, oct(seen.mode), seen.uid)


def _place(path: str) -> str:
    return next((place for place in EVER_NEW if path.startswith(place)), path)


def moments(chance: random.Random, usual: float, victims: tuple[str, ...]) -> list[Kill]:
    """One kill for each victim, anywhere in the time the job usually takes."""
    return [Kill(victim, chance.uniform(0.0, usual)) for victim in victims]


def differences(wanted: dict[str, object], got: dict[str, object]) -> list[str]:
    """What differs between two machines, a line each."""
    return [
        f"{name}: {wanted.get(name)} became {got.get(name)}"
        for name in sorted({*wanted, *got})
        if wanted.get(name) != got.get(name)
    ]
