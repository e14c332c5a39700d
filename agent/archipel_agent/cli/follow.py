"""Starts a job and follows it to its end, across a lost agent; the job itself goes on without us.

Used by every command that changes something. Ctrl-C ends the watching only.
"""

import secrets
from collections.abc import Iterator

from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark
from archipel_agent.cli.progress import Progress, progress
from archipel_contract.client import AgentAway, ApiRefused, NotAdmitted
from archipel_contract.exits import Exit
from archipel_contract.jobs import Job, JobEvent, JobRequest, JobState, Verb

AWAY_SECONDS = 60.0  # how long an agent may be away before we give up watching
RETRY_SECONDS = 0.5
SILENCE_SECONDS = 15.0  # the agent shows a sign of life every 5 s

Value = str | bool | int | list[str]


def run_job(
    session: Session,
    verb: Verb,
    options: dict[str, Value],
    *,
    timeout: float | None = None,
    wait: bool = True,
) -> int:
    """Start a job, show it, and return the exit code of its end. `timeout` (seconds) ends the watching."""
    # The key makes the request safe to repeat when the agent goes away before it has answered.
    request = JobRequest(verb=verb, options=options, key=secrets.token_hex(8))
    job = start(session, request)
    if not wait:
        if session.screen.as_json:
            session.screen.data(job)
        else:
            session.screen.line(f"Job {job.id} is under way. {_how_to_watch(job)}")
        return Exit.OK
    return watch(session, job, timeout)


def start(session: Session, request: JobRequest) -> Job:
    """Start a job and return it; an agent that is away for a moment is waited for."""
    end = session.clock.monotonic() + AWAY_SECONDS
    while True:
        try:
            job: Job = session.client.call("start_job", request)
            return job
        except ApiRefused as refused:
            if refused.problem.error == "busy":
                session.screen.note("Watch the running job: archipel agent watch")
            raise
        except NotAdmitted:
            raise
        except AgentAway:
            if session.clock.monotonic() > end:
                raise
            session.clock.wait(RETRY_SECONDS)


def watch(session: Session, job: Job, timeout: float | None = None) -> int:
    """Follow a job to its end, say how it ended, and return the exit code that stands for it."""
    shown = progress(session.screen, session.clock.monotonic)
    last = job
    try:
        try:
            for event in events(session, job.id, shown, timeout):
                last = event.job
                shown.show(event)
        finally:
            shown.close()
    except KeyboardInterrupt:
        session.screen.note(f"\nStopped watching; the job goes on. {_how_to_watch(job)}")
        return Exit.INTERRUPTED
    return conclude(session, last)


def events(
    session: Session, job_id: str, shown: Progress, timeout: float | None = None
) -> Iterator[JobEvent]:
    """Yield the job's events to its end, going on after the last one seen when the agent was away.

    Raises AgentAway once it has been away for a minute, and Stop when `timeout` is over.
    """
    clock = session.clock
    end = None if timeout is None else clock.monotonic() + timeout
    after, lost_at, is_over = 0, None, False
    while not is_over:
        try:
            for event in session.client.stream(
                "watch_job", timeout=SILENCE_SECONDS, job_id=job_id, after=str(after)
            ):
                if lost_at is not None:
                    shown.say("The agent is back.")
                after, lost_at, is_over = event.sequence, None, event.job.is_over
                yield event
                if is_over:
                    return
                if end is not None and clock.monotonic() > end:
                    raise Stop(
                        Exit.FAILED,
                        f"not finished after {timeout:g} s; the job goes on. {_how_to_watch(event.job)}",
                    )
            lost: AgentAway | None = (
                None  # the stream ended in good order, but the job did not: the agent is stopping
            )
        except NotAdmitted:
            raise
        except AgentAway as error:
            lost = error
        if lost_at is None:
            lost_at = clock.monotonic()
            shown.say("The agent does not answer; the job goes on once it is back. Waiting.")
        if clock.monotonic() - lost_at > AWAY_SECONDS:
            raise lost or AgentAway("the agent is being stopped")
        clock.wait(RETRY_SECONDS)


def conclude(session: Session, job: Job) -> int:
    """Say how the job ended and return its exit code."""
    screen = session.screen
    if screen.as_json:
        screen.data(job)
    if job.state is JobState.SUCCEEDED:
        if not screen.as_json:
            screen.line(f"{screen.mark(Mark.GOOD)} {screen.strong(job.sentence or 'Done.')}")
            if left := job.result.get("left"):
                screen.line("What stays on this machine:")
                screen.table([[line] for line in left.splitlines()])
        return Exit.OK
    if job.state is JobState.CANCELLED:
        screen.note(job.sentence or "Stopped on request and undone.")
        return Exit.CANCELLED
    # The finding below says the rest, in its own language.
    said = job.sentence.replace(job.finding.summary, "") if job.finding else job.sentence
    if said.strip(" .:"):
        screen.note(said.strip())
    if job.finding:
        screen.remark(job.finding)
    return Exit.REFUSED if job.changed_nothing else Exit.FAILED


def _how_to_watch(job: Job) -> str:
    cancel = "" if job.verb is Verb.REMOVE else "   Stop and undo it: archipel agent cancel"
    return f"Watch it: archipel agent watch{cancel}"
