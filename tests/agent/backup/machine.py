"""A rehearsed machine with real files below a directory, whose jobs run in the calling thread and can be cut anywhere.

Cuts come where the agent notes something: before and after each entry of the journal and each fact it keeps. What a torn
disk adds to that is the matter of `tests/chaos`.
"""

from dataclasses import replace
from pathlib import Path

from archipel_agent.jobs.clock import JobClock
from archipel_agent.jobs.engine import Engine
from archipel_agent.paths import Paths
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import parse
from archipel_agent.steps.story import story
from archipel_contract.jobs import Job, JobState, Verb
from archipel_contract.names import new_job_id, new_node_id
from archipel_contract.trust.sealing import RecoveryKey, new_recovery_key
from tests.fakes.clock import VirtualClock
from tests.fakes.power import Power

KEY: RecoveryKey = new_recovery_key()
Value = str | bool | int | list[str]


class CutStore(Store):
    """A store at whose every change the power can go."""

    def __init__(self, database: Database, power: Power) -> None:
        super().__init__(database)
        self._power = power

    def keep(self, **facts: str | None) -> None:
        """See Store."""
        self._power.point(f"before {sorted(facts)}")
        super().keep(**facts)
        self._power.point(f"after {sorted(facts)}")

    def write_journal(
        self, job_id: str, step: str, phase: str, note: dict[str, object] | None = None
    ) -> None:
        """See Store."""
        self._power.point(f"before {phase} of {step}")
        super().write_journal(job_id, step, phase, note)


class Machine:
    """One machine: its files below `root`, its agent, and the stick and key that a person holds."""

    def __init__(
        self, root: Path, settings: Settings | None = None, scenario: Scenario | None = None
    ) -> None:
        self.settings = settings or Settings(backup_volumes="on")
        self.paths = Paths(root)
        self.power = Power()
        self.clock = VirtualClock()
        made = rehearse(self.paths, scenario or Scenario(pace=0.05), self.clock)
        self.world, self.ports = made.world, made.ports
        self.database = Database(self.paths.database)
        self.store = CutStore(self.database, self.power)
        self.store.keep(node_id=new_node_id(self.ports.entropy.bytes))

    def do(self, verb: Verb, stop_at: str = "", **options: Value) -> Job:
        """Run a job to its end, or to the cut; `stop_at` asks it to stop when that step begins."""
        parse(verb, options)
        job = Job(
            id=new_job_id(self.ports.entropy.bytes), verb=verb, state=JobState.QUEUED, options=dict(options)
        )
        self.store.keep_job(job)
        return self._run(job, stop_at)

    def go_on(self) -> Job:
        """The agent comes back after a cut and goes on with its job."""
        self.power.back()
        job = self.store.unfinished()
        return self._run(job, "") if job is not None else self.store.jobs()[0]

    def _run(self, job: Job, stop_at: str) -> Job:
        clock = JobClock(self.clock)
        options = parse(job.verb, job.options)
        context = Context(
            verb=job.verb,
            options=options,
            ports=replace(self.ports, clock=clock),
            paths=self.paths,
            settings=self.settings,
            store=self.store,
            node_id=self.store.value("node_id") or "",
        )

        def watch(seen: Job, _: str) -> None:
            if any(one.slug == stop_at and one.state.value == "running" for one in seen.steps):
                clock.cancel()

        return Engine(job, story(job.verb, options), context, clock, watch).run()

    def close(self) -> None:
        """Switch the agent off."""
        self.database.close()

    def files(self, *places: str) -> dict[str, tuple[int, bytes]]:
        """Every file below these places with mode and content."""
        found = {}
        for place in places:
            for path in self.ports.disk.files(self.paths.at(place)):
                content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
                found[str(path.relative_to(self.paths.root))] = (path.lstat().st_mode & 0o777, content)
        return found


def site(root: Path, settings: Settings | None = None) -> Machine:
    """A machine that is a site with a volume, a recovery key, and things the site itself put beside k3s' files."""
    machine = Machine(root, settings)
    done = machine.do(Verb.UP, name="Halle 3", node_name="press-7")
    assert done.state is JobState.SUCCEEDED, done.sentence
    disk, paths = machine.ports.disk, machine.paths
    disk.write(paths.k3s_data / "storage/pvc-1/count", b"42\n", 0o640)
    disk.write(paths.k3s_data / "server/tls/server-ca.crt", b"the authority", 0o600)
    disk.write(paths.k3s_settings / "registries.yaml", b"mirrors: {}\n", 0o600)
    disk.write(paths.at("etc/rancher/node/password"), b"0123\n", 0o600)
    disk.write(paths.settings / "agent.toml", b'name = "old"\n', 0o644)
    disk.write(paths.settings / "enrol.token", b"never in a backup", 0o600)
    disk.write(paths.settings / "backup-recipients.txt", f"{KEY.recipient}\n".encode(), 0o600)
    return machine
