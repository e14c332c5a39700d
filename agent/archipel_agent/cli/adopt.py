"""`archipel adopt`: makes a k3s that is here already a site, without restarting it, and shows how it differs from ours."""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_agent.cli.output import Mark
from archipel_agent.cli.reader import reader
from archipel_agent.cli.up import show_plan
from archipel_contract.adoption import Difference, Later
from archipel_contract.exits import Exit
from archipel_contract.jobs import JobRequest, Plan, Verb

EXAMPLES = """\
  sudo archipel adopt --plan
  sudo archipel adopt --name "Halle 3"
  sudo archipel adopt --drift
  sudo archipel adopt --drift --json

k3s is not restarted, and none of its files is written: the agent gets an account of its own in the cluster that may read.
`archipel leave` gives it back as it was."""

WHEN = {
    Later.NEVER: "fixed for life",
    Later.RESTART: "needs a restart of k3s",
    Later.NOW: "can be changed now",
    Later.UNKNOWN: "not known",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("adopt", EXAMPLES)
    made.add_argument(
        "--name", metavar="TEXT", help="name of the site, as people know it (default: the hostname)"
    )
    how = made.add_mutually_exclusive_group()
    how.add_argument(
        "--plan", action="store_true", help="say what would be done and how it differs; do nothing"
    )
    how.add_argument(
        "--drift", action="store_true", help="only how it differs from a k3s that Archipel sets up"
    )
    made.add_argument("--yes", action="store_true", help="ask nothing")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _adopt, arguments)


def _adopt(session: Session) -> int:
    options: dict[str, Value] = {"name": session.options.name} if session.options.name else {}
    request = JobRequest(verb=Verb.ADOPT, options=options)
    if session.options.plan or session.options.drift:
        return _looked(session, reader(session).plan(request))
    ensure_agent(session, "adopt")
    if session.interactive and not session.options.yes:
        _confirm(session, reader(session).plan(request))
    return run_job(session, Verb.ADOPT, options)


def _looked(session: Session, plan: Plan) -> int:
    if session.options.plan:
        code = show_plan(session, plan, "adopt")
    else:
        code = Exit.REFUSED if plan.findings else Exit.OK
        for finding in plan.findings:
            session.screen.remark(finding)
        if session.screen.as_json:
            session.screen.data(list(plan.drift))
    if not session.screen.as_json and not plan.findings:
        _show(session, plan.drift)
    return code


def _show(session: Session, drift: tuple[Difference, ...]) -> None:
    screen = session.screen
    screen.line()
    if not drift:
        screen.line(f"{screen.mark(Mark.GOOD)} It is as Archipel would have set it up.")
        return
    screen.line(f"{len(drift)} differences to a k3s that Archipel sets up; none is changed by us:")
    for later, words in WHEN.items():
        those = [one for one in drift if one.later is later]
        if those:
            screen.line(f"{screen.strong(words)}:")
        for one in those:
            wanted = one.wanted or "does not set it"
            screen.line(f"  {one.name}: {one.present or 'not set'}; Archipel: {wanted}")
            screen.line(f"      {one.means}")


def _confirm(session: Session, plan: Plan) -> None:
    if plan.findings:
        return  # the job is refused with the reason
    session.screen.line(
        "Archipel will look after the k3s here. It is not restarted, and its files stay as they are."
    )
    _show(session, plan.drift)
    command.agreed()
