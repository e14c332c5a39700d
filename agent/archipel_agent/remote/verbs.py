"""What each order does: the table from action to function. Called by `worker` in its own thread, one order at a time.

Whatever leaves is redacted here. An order that cannot be done as it is written is refused before anything is touched.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.ports import CommandFailed
from archipel_agent.redact import redact_data
from archipel_agent.remote.parts import RemoteParts
from archipel_agent.service import Refused
from archipel_contract import wire
from archipel_contract.commands import Action, Command, Outcome
from archipel_contract.jobs import Job, JobRequest, JobState, Verb

TEXT_LIMIT = 1 << 20  # bytes of logs, checks, and what kubectl says
FILE_LIMIT = 8 << 20  # bytes of a support bundle
DEFAULT_LINES, MOST_LINES = 200, 2000
JOB_SECONDS = 1800.0  # a k3s that starts on a slow card takes a quarter of an hour
POLL_SECONDS = 1.0


class OrderUnfit(Exception):
    """The order's arguments are not what this action takes; nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an order."""

    outcome: Outcome = Outcome.DONE
    code: str = ""
    text: str = ""
    media: str = "text/plain"
    name: str = ""
    data: bytes = b""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """One order, and what it is done with. `wait` lets seconds pass; it raises Cancelled when the agent ends."""

    command: Command
    parts: RemoteParts
    wait: Callable[[float], None]


def logs(work: Work) -> Answer:
    """Return the last lines of k3s or of the agent."""
    known = {"source", "lines"}
    asked = _arguments(work.command, known)
    source, lines = asked.get("source", "k3s"), asked.get("lines", DEFAULT_LINES)
    if source not in ("k3s", "agent"):
        raise OrderUnfit(f"there is no log {str(source)[:40]!r}; there are k3s and agent")
    if not isinstance(lines, int) or isinstance(lines, bool) or not 1 <= lines <= MOST_LINES:
        raise OrderUnfit(f"lines must be 1 to {MOST_LINES}")
    found = work.parts.agent.logs(source, lines).lines
    return _text("\n".join(found), f"{len(found)} lines of {source}")


def doctor(work: Work) -> Answer:
    """Run every check."""
    _arguments(work.command, set())
    checks = work.parts.agent.checks()
    data = json.dumps(redact_data(wire.to_data(checks), work.parts.secrets()), separators=(",", ":"))
    count = sum(len(one.findings) for one in checks.results)
    return _text(data, f"{len(checks.results)} checks, {count} findings", "application/json")


def support(work: Work) -> Answer:
    """Write a support bundle, as a person on site would, and return it."""
    _arguments(work.command, set())
    job = _job(work, Verb.SUPPORT)
    if job.state is not JobState.SUCCEEDED:
        return _failed(job)
    path = Path(job.result["path"])
    data = work.parts.ports.disk.read(path)
    if path.is_relative_to(work.parts.paths.state):
        work.parts.ports.disk.remove(path)  # made for this answer, which is kept by itself
    is_cut = len(data) > FILE_LIMIT
    text = f"cut: {len(data)} bytes, of which {FILE_LIMIT} travel" if is_cut else f"{len(data)} bytes"
    return Answer(media="application/gzip", name=path.name, text=text, data=data[:FILE_LIMIT], cut=is_cut)


def restart(work: Work) -> Answer:
    """Restart k3s; workloads go on meanwhile."""
    _arguments(work.command, set())
    job = _job(work, Verb.RESTART)
    return Answer(text=job.sentence) if job.state is JobState.SUCCEEDED else _failed(job)


def run_kubectl(work: Work) -> Answer:
    """Let kubectl look."""
    from archipel_agent.remote import kubectl  # noqa: PLC0415 - a node that nobody asks must not pay for its lists

    asked = _arguments(work.command, {"arguments"}).get("arguments")
    if not isinstance(asked, list) or not all(isinstance(word, str) for word in asked):
        raise OrderUnfit("arguments must be a list of words for kubectl")
    try:
        words = kubectl.allowed(asked)
    except kubectl.NotAllowed as error:
        raise OrderUnfit(str(error)) from error
    try:
        said = kubectl.run(work.parts, words)
    except CommandFailed as error:
        answer = _text(kubectl.shown(work.parts, error.stdout + error.stderr), str(error))
        return Answer(outcome=Outcome.FAILED, code="order-failed", text=answer.text, data=answer.data)
    return _text(said, f"kubectl {words[0]}")


def decommission(work: Work) -> Answer:
    """Nothing yet: keys are wiped once this answer is said, see `worker`."""
    _arguments(work.command, set())
    return Answer(text="this node leaves the fleet; its cluster lives on")


VERBS: Mapping[Action, Callable[[Work], Answer]] = {
    Action.LOGS: logs,
    Action.DOCTOR: doctor,
    Action.SUPPORT: support,
    Action.RESTART: restart,
    Action.KUBECTL: run_kubectl,
    Action.DECOMMISSION: decommission,
}


def _arguments(command: Command, known: set[str]) -> dict[str, object]:
    unknown = set(command.arguments) - known
    if unknown:
        raise OrderUnfit(f"{command.action.value} takes no {min(unknown)[:40]!r}")
    return command.arguments


def _text(text: str, said: str, media: str = "text/plain") -> Answer:
    data = text.encode(errors="replace")
    is_cut = len(data) > TEXT_LIMIT
    if is_cut:
        said = f"{said}; only the last {TEXT_LIMIT} of {len(data)} bytes"
    return Answer(text=said, media=media, data=data[-TEXT_LIMIT:], cut=is_cut)


def _job(work: Work, verb: Verb) -> Job:
    """Start a job in the fleet's name and return it when it is over."""
    agent, clock = work.parts.agent, work.parts.ports.clock
    job = agent.start_job(JobRequest(verb=verb, key=work.command.id), actor(work.command))
    until = clock.monotonic() + JOB_SECONDS
    while not job.is_over:
        if clock.monotonic() >= until:
            raise Refused(504, "job-late", f"the job {job.id} was not over after {JOB_SECONDS:.0f} s")
        work.wait(POLL_SECONDS)
        job = agent.job(job.id)
    return job


def _failed(job: Job) -> Answer:
    code = job.finding.code if job.finding is not None else "order-failed"
    return Answer(outcome=Outcome.FAILED, code=code, text=job.sentence or job.state.value)


def actor(command: Command) -> str:
    """Return who gave an order, as the audit journal names it."""
    return f"fleet:{command.asked_by[:80] or '?'}"
