"""The part of the agent that plans, starts and follows jobs."""

from archipel_agent.core.base import Base
from archipel_agent.jobs.manager import JobManager
from archipel_agent.jobs.planning import plan_of
from archipel_agent.observe import World, asking, gather
from archipel_agent.service import Refused
from archipel_agent.state.database import StateUnusable
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import OptionInvalid, Options, parse
from archipel_agent.steps.story import story
from archipel_contract.api import Jobs
from archipel_contract.jobs import Job, JobEvent, JobRequest, Plan, Verb


class Working(Base):
    """See `service.AgentService`."""

    _world: World

    def _context(self, verb: Verb, options: Options) -> Context:
        assert self.store is not None  # only called with a usable state
        return Context(
            verb=verb,
            options=options,
            ports=self.ports,
            paths=self.paths,
            settings=self.settings,
            store=self.store,
            node_id=self.node_id,
            settings_problem=self._world.settings_problem,
        )

    def plan(self, request: JobRequest) -> Plan:
        """Ask each step whether it is needed; nothing is changed."""
        try:
            options = parse(request.verb, request.options)
        except OptionInvalid as error:
            raise Refused(400, "option-invalid", str(error), "See archipel --help.") from error
        if self.store is None:
            raise self._no_state()
        context = self._context(request.verb, options)
        world = asking(self._world, self.ports) if request.verb is Verb.UP else self._world
        evidence = gather(self.ports, world, options.wishes)
        return plan_of(story(request.verb, options), context, evidence)

    def jobs(self) -> Jobs:
        """Return the jobs this machine remembers."""
        return Jobs(jobs=self.manager.jobs() if self.manager else ())

    def start_job(self, request: JobRequest, asked_by: str) -> Job:
        """Start a job."""
        try:
            job = self._managed().start(request, asked_by)
        except StateUnusable as error:  # since the start of the agent: a disk that has filled up
            raise self._no_state(error) from error
        actor = asked_by if asked_by.startswith("fleet:") else f"local:{asked_by}"
        options = {name: str(value) for name, value in request.options.items()}
        self._note(actor, f"job:{request.verb}", "started", job=job.id, **options)
        return job

    def job(self, job_id: str) -> Job:
        """Return one job."""
        return self._managed().job(job_id)

    def job_events(self, job_id: str, after: int) -> tuple[JobEvent, ...]:
        """Return the job's events beyond `after`."""
        return self._managed().events(job_id, after)

    def cancel_job(self, job_id: str) -> Job:
        """Ask a running job to stop and undo."""
        return self._managed().cancel(job_id)

    def _managed(self) -> JobManager:
        if self.manager is None:
            raise self._no_state()
        return self.manager
