"""Jobs as the API sees them: one at a time, the same key the same job, watched by anyone, resumed after a cut.

Each job runs in a thread of its own, beside the agent's turns. Finished jobs come from the store, the running one from
memory; events of the running job are kept up to a bound, the newest always.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from archipel_agent.host.clock import text
from archipel_agent.jobs.clock import JobClock
from archipel_agent.jobs.engine import Engine
from archipel_agent.redact import redact
from archipel_agent.service import Refused
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import OptionInvalid, parse
from archipel_agent.steps.story import story
from archipel_contract.catalogue import finding
from archipel_contract.jobs import Job, JobEvent, JobRequest, JobState, Verb
from archipel_contract.names import new_job_id

EVENTS_KEPT = 500
ATTEMPT_EVENTS = 1 << 32  # sequence numbers of a resumed job start above all of the attempt before


@dataclass(frozen=True, slots=True)
class _Running:
    job_id: str
    clock: JobClock
    thread: threading.Thread


class JobManager:
    """Starts, resumes, watches and stops jobs."""

    def __init__(self, context: Context, changed: Callable[[], None], over: Callable[[], None]) -> None:
        """`context` is the pattern for each job's; `changed` is called from any thread when a job moved, `over` when one
        has ended and another may start.
        """
        self._context = context
        self._changed = changed
        self._over = over
        self._lock = threading.RLock()
        self._running: _Running | None = None
        self._events: deque[JobEvent] = deque(maxlen=EVENTS_KEPT)
        self._sequence = 0

    def start(self, request: JobRequest, asked_by: str) -> Job:
        """Start a job; raise Refused 400 for bad options, 409 while another runs."""
        try:
            parse(request.verb, request.options)
        except OptionInvalid as error:
            raise Refused(400, "option-invalid", str(error), "See archipel --help.") from error
        store = self._context.store
        with self._lock:
            if request.key and (known := store.job_with_key(request.key)):
                return self.job(known.id)
            if self._running:
                busy = self.job(self._running.job_id)
                raise Refused(
                    409,
                    "busy",
                    f"The job {busy.verb} ({busy.id}) is running.",
                    "Wait for it, or stop it first.",
                )
            self._clear_up()
            job = Job(
                id=new_job_id(self._context.ports.entropy.bytes),
                verb=request.verb,
                state=JobState.QUEUED,
                options=request.options,
                asked_by=asked_by,
                created_at=text(self._context.ports.clock.now()),
            )
            store.keep_job(job, request.key)
            return self._launch(job)

    def _clear_up(self) -> None:
        """End a job that could not keep its own end because the state was unusable; a later start must not resume it."""
        store = self._context.store
        left = store.unfinished()
        if left is not None:
            store.keep_job(replace(left, state=JobState.FAILED, sentence=finding("interrupted").summary))

    def resume(self) -> Job | None:
        """Go on with the job that a stop of the agent cut off, if there is one."""
        with self._lock:
            job = self._context.store.unfinished()
            return self._launch(job) if job else None

    def _launch(self, job: Job) -> Job:
        clock = JobClock(self._context.ports.clock)
        attempts = sum(phase == "attempt" for _, phase, _ in self._context.store.journal(job.id))
        self._context.store.write_journal(job.id, "", "attempt")
        self._sequence = (attempts + 1) * ATTEMPT_EVENTS
        self._events.clear()
        options = parse(job.verb, job.options)
        context = replace(
            self._context,
            verb=job.verb,
            options=options,
            ports=replace(self._context.ports, clock=clock),
            job=job.id,
        )
        engine = Engine(job, story(job.verb, options), context, clock, self._emit)
        thread = threading.Thread(target=self._run, args=(engine,), name=f"job-{job.verb}", daemon=True)
        self._running = _Running(job.id, clock, thread)
        self._emit(replace(job, state=JobState.RUNNING), "")
        thread.start()
        return self._events[-1].job

    def _run(self, engine: Engine) -> None:
        try:
            engine.run()
        finally:
            with self._lock:
                self._running = None
            self._changed()
            self._over()

    def _emit(self, job: Job, line: str) -> None:
        with self._lock:
            self._sequence += 1
            secrets = self._context.store.tokens()
            self._events.append(
                JobEvent(sequence=self._sequence, job=job, line=redact(line, secrets) if line else "")
            )
        self._changed()

    def running(self) -> Job | None:
        """Return the running job."""
        with self._lock:
            return self.job(self._running.job_id) if self._running else None

    def job(self, job_id: str) -> Job:
        """Return one job; raise Refused 404."""
        with self._lock:
            if self._events and self._events[-1].job.id == job_id:
                return self._events[-1].job
        job = self._context.store.job(job_id)
        if job is None:
            raise Refused(
                404, "no-such-job", f"There is no job {job_id}.", "See which there are: archipel agent jobs"
            )
        return job

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs kept, newest first, the running one as it stands now."""
        return tuple(self.job(job.id) for job in self._context.store.jobs())

    def events(self, job_id: str, after: int) -> tuple[JobEvent, ...]:
        """Return the events of a job beyond `after`; for one from earlier a single event that shows its end."""
        with self._lock:
            if self._events and self._events[-1].job.id == job_id:
                return tuple(event for event in self._events if event.sequence > after)
        job = self.job(job_id)
        over = JobEvent(sequence=max(after + 1, 1), job=job)
        return (over,)

    def cancel(self, job_id: str) -> Job:
        """Ask a running job to stop; raise Refused 409 for one that does not run or cannot be undone."""
        with self._lock:
            job = self.job(job_id)
            if self._running is None or self._running.job_id != job_id:
                raise Refused(409, "not-running", f"The job {job_id} is over.", "")
            if job.verb is Verb.REMOVE:
                raise Refused(409, "no-way-back", "A removal cannot be undone half-way.", "Let it finish.")
            self._running.clock.cancel()
            return job

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job runs; False after `seconds`."""
        running = self._running
        if running:
            running.thread.join(seconds)
        return self._running is None
