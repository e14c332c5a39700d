"""The words of `archipel agent`: runs the agent itself, tells whether it lives, and shows, follows or stops its jobs."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.cli import command, follow
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark
from archipel_agent.settings import Settings
from archipel_contract.exits import Exit
from archipel_contract.jobs import Job, JobState

if TYPE_CHECKING:
    from archipel_agent.rehearsal.scenario import Scenario

EXAMPLES = """\
  archipel agent status
  archipel agent jobs
  archipel agent watch               follows the job that runs
  sudo archipel agent run --log-level DEBUG
  sudo archipel agent reset-state    when the state database is damaged"""

MARK_OF_STATE = {
    JobState.QUEUED: Mark.NOW,
    JobState.RUNNING: Mark.NOW,
    JobState.SUCCEEDED: Mark.GOOD,
    JobState.FAILED: Mark.BAD,
    JobState.CANCELLED: Mark.WARN,
    JobState.UNKNOWN: Mark.OPEN,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("agent", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    run = words.add_parser(
        "run", help="run the agent in the foreground; systemd does this", allow_abbrev=False
    )
    command.common(run, json=False)
    for name, kind in Settings.__annotations__.items():
        flag = f"--{name.replace('_', '-')}"
        run.add_argument(
            flag,
            metavar=kind.__name__.upper(),
            help=f"setting {name} (default {getattr(Settings(), name)!r})",
        )
    run.add_argument(
        "--rehearse",
        metavar="SCENARIO",
        nargs="?",
        const="",
        help="play a simulated machine (ARCHIPEL_ROOT must name a directory of its own); SCENARIO is a TOML file",
    )
    fault = words.add_parser(
        "rehearse", help="make a fault on a rehearsed machine, or heal it", allow_abbrev=False
    )
    fault.add_argument("fault", nargs="?", metavar="FAULT", help="its name; without one they are listed")
    fault.add_argument("--heal", action="store_true", help="heal it")
    status = words.add_parser("status", help="whether the agent answers, and who it is", allow_abbrev=False)
    jobs = words.add_parser("jobs", help="the jobs this machine remembers, newest first", allow_abbrev=False)
    watch = words.add_parser("watch", help="follow a job to its end", allow_abbrev=False)
    cancel = words.add_parser("cancel", help="stop a job and undo what it did", allow_abbrev=False)
    reset = words.add_parser(
        "reset-state",
        help="put a damaged state aside and begin a new one; k3s is not touched",
        allow_abbrev=False,
    )
    for one in (watch, cancel):
        one.add_argument("job", nargs="?", metavar="JOB", help="its id (default: the job that runs)")
    for one in (fault, status, jobs, watch, cancel, reset):
        command.common(one)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), lambda session: WORDS[session.options.word](session), arguments)


def _run(session: Session) -> int:
    from archipel_agent.cli import agent_run  # loads everything the agent consists of

    flags = {name: getattr(session.options, name) for name in Settings.__annotations__}
    try:
        if session.options.rehearse is not None:
            return _play(session, flags)
        return agent_run.run(session.paths, flags)
    except agent_run.CannotRun as error:
        raise Stop(error.code, str(error)) from error


def _play(session: Session, flags: dict[str, object]) -> int:
    """Run the agent on a simulated machine whose files lie below the root."""
    from archipel_agent.cli import agent_run
    from archipel_agent.rehearsal.compose import rehearse
    from archipel_agent.rehearsal.director import Director

    rehearsal = rehearse(session.paths, _scenario(session))
    return agent_run.run(session.paths, flags, rehearsal.ports, Director(rehearsal.world))


def _scenario(session: Session) -> "Scenario":
    from archipel_agent.rehearsal import scenario

    if session.paths.root == Path("/"):
        raise Stop(Exit.USAGE, "a rehearsal needs a root of its own: set ARCHIPEL_ROOT to an empty directory")
    if not session.options.rehearse:
        return scenario.Scenario()
    try:
        return scenario.load(Path(session.options.rehearse))
    except (scenario.ScenarioInvalid, OSError) as error:
        raise Stop(Exit.USAGE, f"the scenario cannot be used: {error}") from error


def _rehearse(session: Session) -> int:
    from archipel_agent.host.disk import SystemDisk
    from archipel_agent.rehearsal import director, faults

    if not session.client.call("alive").rehearsed:
        raise Stop(Exit.REFUSED, "this machine is a real one; faults are made on rehearsed machines only")
    disk, name = SystemDisk(), session.options.fault
    if not name:
        shown = {one.name: one.title for one in faults.FAULTS.values()}
        if session.screen.as_json:
            session.screen.data(shown)
        else:
            session.screen.table([[one, title] for one, title in shown.items()])
        return Exit.OK
    try:
        now = director.wish(disk, session.paths, name, not session.options.heal)
    except director.FaultUnknown as error:
        raise Stop(Exit.USAGE, str(error.args[0])) from error
    if session.screen.as_json:
        session.screen.data({"faults": sorted(now)})
    else:
        session.screen.line(f"Faults from the next turn on: {', '.join(sorted(now)) or 'none'}.")
    return Exit.OK


def _status(session: Session) -> int:
    alive = session.client.call("alive")
    if session.screen.as_json:
        session.screen.data(alive)
        return Exit.OK
    from archipel_contract.api import AccessRole

    rehearsed = ", REHEARSED" if alive.rehearsed else ""
    session.screen.line(f"{session.screen.mark(Mark.GOOD)} The agent answers{rehearsed}.")
    rows = [["version", alive.agent_version], ["pid", str(alive.pid)], ["node", alive.node_id]]
    session.screen.table([*rows, ["your role", AccessRole(alive.role).name.lower()]])
    return Exit.OK


def _jobs(session: Session) -> int:
    answer = session.client.call("jobs")
    if session.screen.as_json:
        session.screen.data(answer)
        return Exit.OK
    for job in answer.jobs:
        mark = session.screen.mark(MARK_OF_STATE[job.state])
        session.screen.line(
            f"{mark} {job.id}  {job.verb:<7}  {job.created_at}  {job.asked_by:<8}  {job.sentence}".rstrip()
        )
    if not answer.jobs:
        session.screen.line("This machine remembers no job.")
    return Exit.OK


def _chosen(session: Session) -> Job:
    if session.options.job:
        job: Job = session.client.call("job", job_id=session.options.job)
        return job
    jobs: tuple[Job, ...] = session.client.call("jobs").jobs
    running = [one for one in jobs if not one.is_over]
    if not running:
        last = f" The last one was {jobs[0].id} ({jobs[0].verb}, {jobs[0].state})." if jobs else ""
        raise Stop(Exit.NOT_OK, f"no job is running.{last}")
    return running[0]


def _watch(session: Session) -> int:
    return follow.watch(session, _chosen(session))


def _cancel(session: Session) -> int:
    job = _chosen(session)
    session.client.call("cancel_job", job_id=job.id)
    code = follow.watch(session, job)
    # Stopped and undone is what was asked for here.
    return Exit.OK if code == Exit.CANCELLED else code


def _reset_state(session: Session) -> int:
    from archipel_agent.cli.reset import set_aside  # loads the daemon, whose lock must be free
    from archipel_agent.host.disk import SystemDisk

    aside = set_aside(session.paths, SystemDisk(), session.clock)
    if session.screen.as_json:
        session.screen.data({"aside": str(aside) if aside else None})
    elif aside is None:
        session.screen.line("There is no state here; nothing was changed.")
    else:
        session.screen.line(f"The state was put aside as {aside}. The agent begins a new one when it starts.")
        session.screen.line("k3s runs on untouched. Then: sudo archipel up")
    return Exit.OK


WORDS: dict[str, Callable[[Session], int]] = {
    "run": _run,
    "rehearse": _rehearse,
    "status": _status,
    "jobs": _jobs,
    "watch": _watch,
    "cancel": _cancel,
    "reset-state": _reset_state,
}
