"""A whole node in memory under a power supply that can fail: rehearsed machine, treacherous disk, database, jobs.

What the daemon does with a job is done here in the calling thread: start it or go on with it, by its key. A power cut
takes everything but what was on disk; `come_back` is the next boot with a new agent.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from archipel_agent.host.privileged import Direct, verbs_for
from archipel_agent.jobs.clock import JobClock
from archipel_agent.jobs.engine import Engine
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.rehearsal.binary import stand_in
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.datastore import Datastore
from archipel_agent.rehearsal.recordings import VERSION
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_agent.steps.base import Context
from archipel_agent.steps.goodbye import UNIT
from archipel_agent.steps.leaving import doomed
from archipel_agent.steps.options import parse
from archipel_agent.steps.story import story
from archipel_contract.jobs import Job, JobRequest, JobState
from archipel_contract.names import new_job_id, new_node_id
from tests.fakes.database import TreacherousDatabase
from tests.fakes.disk import TreacherousDisk
from tests.fakes.files import Node as File
from tests.fakes.ports import CountedEntropy, PoweredClock, PoweredK3sHost, PoweredKubeApi, PoweredRunner
from tests.fakes.power import Power

SCENARIO = Scenario(pace=0.05)  # k3s starts twenty times as fast as recorded: fewer polls, the same events
SETTLED_SECONDS = 60.0  # after which nothing changes by itself any more
STICK = Path("/media/stick/k3s")
VOLATILE = (Path("/run"),)

Watch = Callable[[Job, JobClock], None]  # sees every event of a job, and may ask it to stop


def _look_on(job: Job, clock: JobClock) -> None:
    """Nobody stops the job."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a machine that is off consists of."""

    nodes: dict[str, File]
    entropy: int
    seconds: float


class Node:
    """One machine with its agent."""

    def __init__(self, image: Image | None = None) -> None:
        self.power = Power()
        self.paths = Paths()
        self.clock = PoweredClock(self.power)
        self.disk = TreacherousDisk(self.power, VOLATILE)
        self.entropy = CountedEntropy()
        if image is None:
            self.disk.put(STICK, stand_in(SCENARIO.facts.architecture, VERSION), 0o755)
            self.disk.put(Path("/proc/cmdline"), b"console=tty1")
        else:
            self.disk.lay(image.nodes)
            self.entropy.calls = image.entropy
            self.clock.advance(image.seconds)
        made = rehearse(self.paths, SCENARIO, self.clock, self.disk, self.entropy)
        self.world = made.world
        self.disk.free_bytes = lambda: made.world.state.free_bytes
        self.ports = self._powered(made.ports)
        self.store = self._open()
        self.clock.advance(SETTLED_SECONDS)
        self.world.settle()

    def image(self) -> Image:
        """Switch off in order and return what is on the disk, for others to start from."""
        nodes = {name: node for name, node in self.disk.all().items() if not name.startswith("/run/")}
        return Image(nodes, self.entropy.calls, self.clock.monotonic())

    def _powered(self, plain: Ports) -> Ports:
        runner = PoweredRunner(plain.runner, self.power)
        k3s = PoweredK3sHost(plain.k3s, self.power)
        verbs = {**verbs_for(self.disk, runner), "stop-pods": lambda _: k3s.stop_pods()}
        kube = PoweredKubeApi(plain.kube, self.power)
        # Not rehearsed, so that the steps leave out nothing: the agent goes through its own unit, as under systemd.
        return replace(plain, runner=runner, k3s=k3s, kube=kube, privileged=Direct(verbs), rehearsed=False)

    def _open(self) -> Store:
        store = Store(TreacherousDatabase(self.disk, self.paths.database))
        if store.value("node_id") is None:
            store.keep(node_id=new_node_id(self.entropy.bytes))
        return store

    def agent_comes_back(self) -> None:
        """Start a new agent after the old one was killed; the machine and its k3s went on."""
        self.power.cut()
        self.disk.after_kill()
        self.ports.kube.close()
        if self.world.datastore is not None and self.world.life.run is not None:
            self.world.datastore.keep()  # k3s was not killed: what it was writing is written
        self.store = self._open()

    def come_back(self) -> None:
        """Boot after a power cut, with a new agent."""
        self.power.cut()
        self.world.lose_power()
        self.disk.after_power_cut()
        self.ports.kube.close()
        self.world.boot()
        self.store = self._open()

    def agent_goes(self) -> None:
        """Let the unit that outlives the agent do its work, if the last job left one; a later agent starts anew."""
        unit = self.paths.units / UNIT
        if not self.disk.exists(unit):
            return
        keeps_state = f"rm -rf {self.paths.state}\n".encode() not in self.disk.read(unit)
        for path in (
            *doomed(self.paths, keeps_state),
            self.paths.units / "multi-user.target.wants" / UNIT,
            unit,
        ):
            self.disk.remove_tree(path)
        self.store = self._open()

    def do(self, request: JobRequest, watch: Watch = _look_on) -> Job:
        """Start the job of this key, go on with it, or return how it ended."""
        known = self.store.job_with_key(request.key)
        if known is not None and known.is_over:
            return known
        if known is None:
            known = Job(
                id=new_job_id(self.entropy.bytes),
                verb=request.verb,
                state=JobState.QUEUED,
                options=request.options,
            )
            self.store.keep_job(known, request.key)
        return self._engine(known, watch).run()

    def _engine(self, job: Job, watch: Watch) -> Engine:
        clock = JobClock(self.clock)
        options = parse(job.verb, job.options)
        context = Context(
            verb=job.verb,
            options=options,
            ports=replace(self.ports, clock=clock),
            paths=self.paths,
            settings=Settings(),
            store=self.store,
            node_id=self.store.value("node_id") or "",
            job=job.id,
        )
        return Engine(job, story(job.verb, options), context, clock, lambda seen, _: watch(seen, clock))

    def picture(self) -> dict[str, object]:
        """Return everything a person could find out about this machine, but for times and random names."""
        self.clock.advance(SETTLED_SECONDS)
        self.world.settle()
        state, life, site = self.world.state, self.world.life, self.store.site()
        random = {
            self.store.value("token") or "-": "TOKEN",
            self.store.value("agent_token") or "--": "AGENT TOKEN",
            self.store.value("node_id") or "-": "NODE",
            site.site_id if site else "-": "SITE",
        }
        seen: dict[str, object] = {
            name: (node.mode, node.target, _named(name, node.data, random))
            for name, node in self.disk.all().items()
            if name not in K3S_TEMPORARIES
        }
        seen["world"] = {
            "k3s": (life.asked, life.run is not None),
            "kernel": dict(state.kernel),
            "traces": state.traces,
            "objects": sorted(Datastore(self.disk, self.paths).objects),
            "reads": self.ports.kube.request("GET", "/api/v1/nodes").status,
        }
        kept = {
            "current": site,
            "desired": self.store.site("desired"),
            "rollback": self.store.site("rollback"),
        }
        seen["site"] = {which: _without(repr(document), random) for which, document in kept.items()}
        facts = ("kernel_before", "stood_before", "restart_k3s")
        seen["kept"] = {name: self.store.value(name) for name in facts}
        seen["token"] = tuple(self.store.value(name) is not None for name in ("token", "agent_token"))
        return seen


# Left by a cut in the middle of what k3s itself writes; a real one does not write by way of our disk.
K3S_TEMPORARIES = (
    "/etc/rancher/k3s/.archipel-k3s.yaml",
    "/var/lib/rancher/k3s/server/db/.archipel-state.db",
    "/var/lib/rancher/k3s/server/tls/.archipel-serving-kube-apiserver.crt",
    "/var/lib/rancher/k3s/agent/.archipel-client-kubelet.crt",
)
CHANGING = ("/state.db", "/identity.json", ".crt")  # compared by what they open, not by their bytes


def _named(name: str, data: bytes | None, random: dict[str, str]) -> str | None:
    if data is None or name.endswith(CHANGING):
        return None
    return _without(data.decode(errors="replace"), random) if len(data) < 1 << 16 else f"{len(data)} bytes"


def _without(text: str, random: dict[str, str]) -> str:
    for value, name in random.items():
        text = text.replace(value, name)
    return text
