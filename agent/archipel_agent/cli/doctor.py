"""`archipel doctor`: runs every check now, says what each saw, and what to do.

`--fix` lets the agent repair one finding after saying what that changes, `--undo` takes such a repair back.
"""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.output import MARK_OF_SEVERITY, Mark, duration
from archipel_agent.cli.reader import reader
from archipel_contract.api import Checks
from archipel_contract.exits import Exit
from archipel_contract.findings import CheckResult, Severity, Verdict, worst

EXAMPLES = """\
  archipel doctor
  archipel doctor --lang de
  archipel doctor --json | jq '.results[] | select(.verdict != "ok")'
  archipel doctor --fix memory-cgroup-off-pi --plan
  sudo archipel doctor --fix memory-cgroup-off-pi
  sudo archipel doctor --undo memory-cgroup-off-pi"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("doctor", EXAMPLES)
    one = made.add_mutually_exclusive_group()
    one.add_argument("--fix", metavar="CODE", help="repair this finding, if the agent can")
    one.add_argument("--undo", metavar="CODE", help="take back what the repair of this finding changed")
    made.add_argument(
        "--plan", action="store_true", help="with --fix: say what would be done, and do nothing"
    )
    made.add_argument("--yes", action="store_true", help="with --fix: ask nothing")
    made.add_argument("--found", action="store_true", help="leave out the checks that are OK")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _doctor, arguments)


def _doctor(session: Session) -> int:
    if session.options.fix or session.options.undo:
        from archipel_agent.cli import fixing

        if session.options.fix:
            return fixing.fix(session, session.options.fix)
        return fixing.undo(session, session.options.undo)
    checks = reader(session).checks()
    if session.screen.as_json:
        session.screen.data(checks)
    else:
        _show(session, checks)
    return code(checks)


def code(checks: Checks) -> Exit:
    """Return the exit code: hints and open questions are no reason to call a machine not OK."""
    found = [one for result in checks.results for one in result.findings]
    return Exit.NOT_OK if any(one.severity is not Severity.HINT for one in found) else Exit.OK


def _show(session: Session, checks: Checks) -> None:
    screen = session.screen
    width = max((len(result.slug) for result in checks.results), default=0)
    for result in checks.results:
        if not (session.options.found and result.verdict is Verdict.OK):
            name = result.slug.replace("_", " ").replace("-", " ").ljust(width)
            screen.said(f"{screen.mark(_mark(result))} {name}  ", result.said)
    for result in checks.results:
        for finding in result.findings:
            screen.line()
            screen.finding(finding)
    screen.line()
    screen.said("", _summary(checks))


def _mark(result: CheckResult) -> Mark:
    if result.verdict is Verdict.FOUND:
        gravest = worst(result.findings)
        return MARK_OF_SEVERITY[gravest.severity] if gravest else Mark.WARN
    return Mark.GOOD if result.verdict is Verdict.OK else Mark.OPEN


def _summary(checks: Checks) -> str:
    count = {verdict: sum(one.verdict is verdict for one in checks.results) for verdict in Verdict}
    when = "before the set-up" if checks.phase == "preflight" else "of the running site"
    took = duration(sum(result.seconds for result in checks.results))
    parts = f"{count[Verdict.OK]} OK, {count[Verdict.FOUND]} with findings, {count[Verdict.UNDECIDED]} not decided"
    return f"{len(checks.results)} checks {when} in {took}: {parts}."
