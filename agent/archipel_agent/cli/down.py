"""`archipel down`: stops k3s and its pods; the data stays, and `up` starts them again."""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import run_job
from archipel_contract.jobs import Verb

EXAMPLES = """\
  sudo archipel down
  sudo archipel down --no-wait"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("down", EXAMPLES)
    made.add_argument("--no-wait", action="store_true", help="return once the job has begun")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _down, arguments)


def _down(session: Session) -> int:
    ensure_agent(session, "down")
    return run_job(session, Verb.DOWN, {}, wait=not session.options.no_wait)
