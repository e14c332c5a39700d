"""`archipel leave`: gives an adopted k3s back as it was; of a site of our own it removes the agent and lets k3s run on."""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import run_job
from archipel_agent.cli.reader import Reader, Remote, reader
from archipel_agent.cli.up import show_plan
from archipel_agent.service import Refused
from archipel_contract.api import Alive, Jobs
from archipel_contract.client import ApiRefused
from archipel_contract.exits import Exit
from archipel_contract.jobs import JobRequest, JobState, Verb
from archipel_contract.status import EnrolmentStatus, Membership

EXAMPLES = """\
  archipel leave --plan
  sudo archipel leave
  sudo archipel leave --yes

k3s runs on in any case. An adopted k3s is as it was before `archipel adopt`, and this machine leaves its fleet. Of a site
that Archipel set up, the agent goes: the same as `archipel remove --agent-only`."""

OWN = "This site was set up by Archipel. To leave it is to remove the agent; k3s, its settings and its data stay and run on."
ADOPTED = "The k3s here is given back as it was before it was adopted. It runs on; the agent looks after it no more."


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("leave", EXAMPLES)
    made.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    made.add_argument("--yes", action="store_true", help="ask nothing")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _leave, arguments)


def _leave(session: Session) -> int:
    if session.options.plan:
        asked = reader(session)
        enrolment = asked.report(False).enrolment
        if enrolment.state is not Membership.NONE and not session.screen.as_json:
            session.screen.note("It would leave its fleet first, and its keys here would be wiped.")
        return show_plan(session, asked.plan(_request(_is_adopted(asked))), "leave")
    ensure_agent(session, "leave")
    is_adopted = _is_adopted(Remote(session.client))
    session.screen.note(ADOPTED if is_adopted else OWN)
    command.consented(session, command.agreed)
    _leave_fleet(session)
    request = _request(is_adopted)
    return run_job(session, request.verb, request.options)


def _request(is_adopted: bool) -> JobRequest:
    if is_adopted:
        return JobRequest(verb=Verb.LEAVE)
    return JobRequest(verb=Verb.REMOVE, options={"what": "agent-only"})


def _is_adopted(asked: Reader) -> bool:
    try:
        return asked.site().adopted
    except (ApiRefused, Refused) as refused:
        if refused.status != 404:
            raise
        raise Stop(Exit.REFUSED, "this machine is not a site: there is nothing to leave") from refused


def _leave_fleet(session: Session) -> None:
    """Leave the fleet first: whoever gives a cluster back gives nobody else a say in it. Also where its keys are damaged."""
    status: EnrolmentStatus = session.client.call("enrolment")
    if status.state is Membership.NONE:
        return
    jobs: Jobs = session.client.call("jobs")
    busy = next((job for job in jobs.jobs if job.state in (JobState.QUEUED, JobState.RUNNING)), None)
    if busy is not None:  # it would refuse ours, and the keys would be gone for nothing
        raise Stop(Exit.REFUSED, f"the job {busy.id} ({busy.verb}) is running; leave once it is over")
    alive: Alive = session.client.call("alive")
    try:
        session.client.call("leave_fleet")
    except ApiRefused as refused:
        if refused.problem.error != "no-fleet":
            raise
        return  # it had only been asked to enrol by a link that is none
    name = status.fleet or status.address
    session.screen.note(
        f"This machine has left its fleet{f' ({name})' if name else ''}; its keys here are wiped."
    )
    session.screen.note(_left_to_do(status.state, alive.node_id))


def _left_to_do(state: Membership, node_id: str) -> str:
    """Return what somebody at the fleet has to do: nobody there is told by a machine that has given its keys away."""
    if state in (Membership.WAITING, Membership.PENDING, Membership.REFUSED):
        return "At the fleet its request may still wait; nobody has to approve it: archipel fleet devices"
    return f"At the fleet, so that it is not waited for: archipel fleet decommission {node_id}"
