"""Sets a rehearsed node up: the agent's own `up` on its simulated machine, in a past where waiting takes no time.

The first node of a site makes identity and token by what the site's seed says; the others get the same. A site of several
machines cannot be made by joining yet, so each node's site document is completed here: it lists all nodes of the site, its
own first, and names its own address, as a document of one node does.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from archipel_agent import clocks
from archipel_agent.host.clock import SystemEntropy
from archipel_agent.jobs.clock import JobClock
from archipel_agent.jobs.engine import Engine
from archipel_agent.k3s.config import k3s_files
from archipel_agent.paths import Paths
from archipel_agent.ports import Clock
from archipel_agent.rehearsal.cluster import SharedCluster
from archipel_agent.rehearsal.compose import Rehearsal, rehearse
from archipel_agent.rehearsal.fleet.clock import MachineClock
from archipel_agent.rehearsal.fleet.plan import NodePlan, SitePlan, noise
from archipel_agent.rehearsal.fleet.usage import LivelyMachine
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import parse
from archipel_agent.steps.story import story
from archipel_contract.jobs import Job, JobState, Verb
from archipel_contract.names import new_job_id
from archipel_contract.site import NodeSpec

SETUP_PACE = 0.02
FACTS = ("token", "kernel_before", "stood_before", "time_floor")  # what `up` keeps besides the site document

COUNTERS = ("link_counter", "link_connection")  # of link/memory.py
COUNTED_FROM = 1_767_225_600  # 2026-01-01, in seconds since 1970


class SetupFailed(Exception):
    """`up` did not succeed on a rehearsed machine; the message is its last sentence."""


class SiteEntropy:
    """Implements the Entropy port: the same answers in the same order for every node of a site."""

    def __init__(self, seed: str) -> None:
        """Answer from `seed`."""
        self._seed = seed
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        """See ports.Entropy."""
        self._calls += 1
        return noise(self._seed, "entropy", self._calls)[:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that has been set up, and has arrived in the present; its agent does not run yet."""

    plan: NodePlan
    paths: Paths
    base: Clock  # of the machine we really run on
    clock: MachineClock
    disk: MemoryDisk
    rehearsal: Rehearsal


def set_up(site: SitePlan, root: Path, base: Clock, pace: float) -> tuple[Machine, ...]:
    """Return the machines of a site as one cluster; their states lie below `root`. Raises SetupFailed, StateUnusable."""
    machines = tuple(_machine(site, plan, root / plan.name, base, pace) for plan in site.nodes)
    cluster = SharedCluster(base)
    for one in machines:
        cluster.join(one.plan.name, one.plan.address, site.k3s_version, one.rehearsal.world)
    return machines


def _machine(site: SitePlan, plan: NodePlan, root: Path, base: Clock, pace: float) -> Machine:
    paths, clock, disk = Paths(root), MachineClock(base, site.age_seconds), MemoryDisk()
    # In the past k3s starts as fast as it can be looked at, in the present at the pace that was asked for.
    scenario = Scenario(title=plan.name, pace=SETUP_PACE, k3s_on_path=False, facts=plan.facts)
    plain = rehearse(paths, scenario, clock, disk, SiteEntropy(site.seed))
    machine = LivelyMachine(plain.world, f"{site.seed}/{plan.name}")
    rehearsal = replace(plain, ports=replace(plain.ports, machine=machine))
    past = Database.copy_of(paths.database)  # of nothing: in memory, so that the past costs no writes
    try:
        kept = Store(past)
        # A root that was played before knows a later time than the past in which this happens.
        kept.keep(node_id=plan.node_id, **{clocks.FLOOR: None, clocks.HEARD: None})
        _up(site, plan, rehearsal, kept)
        _remember(site, plan, rehearsal, kept)
    finally:
        past.close()
    clock.arrive()
    rehearsal.world.scenario = replace(scenario, pace=pace)
    _has_run(rehearsal, site.age_seconds)
    # From here on chance is real: what an agent draws must never come again, not even with the same seed.
    arrived = replace(rehearsal, ports=replace(rehearsal.ports, entropy=SystemEntropy()))
    return Machine(plan=plan, paths=paths, base=base, clock=clock, disk=disk, rehearsal=arrived)


def _has_run(rehearsal: Rehearsal, seconds: float) -> None:
    """Have k3s say that it has run so long: the wall clock of its past was no true one (see clock.SETUP)."""
    world = rehearsal.world
    world.settle()
    run = world.life.run
    assert run is not None  # `up` has waited for it
    world.life.run = replace(run, began_at=world.clock.now() - timedelta(seconds=seconds))


def _up(site: SitePlan, plan: NodePlan, rehearsal: Rehearsal, store: Store) -> None:
    ports = rehearsal.ports
    asked: dict[str, str | bool | int | list[str]] = {"name": site.name, "k3s": site.k3s_version}
    job = Job(
        id=new_job_id(ports.entropy.bytes),
        verb=Verb.UP,
        state=JobState.QUEUED,
        options=asked,
        asked_by="rehearsal",
    )
    store.keep_job(job)
    clock, options = JobClock(ports.clock), parse(Verb.UP, asked)
    context = Context(
        verb=Verb.UP,
        options=options,
        ports=replace(ports, clock=clock),
        paths=rehearsal.world.paths,
        settings=Settings(),
        store=store,
        node_id=plan.node_id,
    )
    done = Engine(job, story(Verb.UP, options), context, clock, lambda seen, line: None).run()
    if done.state is not JobState.SUCCEEDED:
        raise SetupFailed(f"{plan.name}: {done.sentence}")


def _remember(site: SitePlan, plan: NodePlan, rehearsal: Rehearsal, past: Store) -> None:
    """Write the completed site document and what else `up` kept into the node's real state, k3s' files by it."""
    document, paths = past.site(), rehearsal.world.paths
    assert document is not None  # `up` has succeeded
    mine = NodeSpec(node_id=plan.node_id, node_name=plan.name)
    others = (NodeSpec(node_id=one.node_id, node_name=one.name) for one in site.nodes if one is not plan)
    completed = replace(document, nodes=(mine, *others))
    token = past.value("token") or ""
    for path, (data, mode) in k3s_files(completed, plan.node_id, token, paths).items():
        rehearsal.ports.disk.write(path, data, mode)
    database = Database(paths.database)
    try:
        store = Store(database)
        store.keep_site(completed)
        facts = {name: value for name in FACTS if (value := past.value(name))}
        if store.value(COUNTERS[0]) is None:
            # With the same seed the same node comes again out of nothing, and must not count from one again.
            facts |= dict.fromkeys(COUNTERS, str(int(rehearsal.ports.clock.now().timestamp()) - COUNTED_FROM))
        store.keep(node_id=plan.node_id, **facts)
        for job in past.jobs():
            store.keep_job(job)
    finally:
        database.close()
