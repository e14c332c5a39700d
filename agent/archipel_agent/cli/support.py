"""`archipel support`: has the agent write a bundle of everything a helper far away needs, secrets removed."""

import argparse
from pathlib import Path

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import Value, run_job
from archipel_contract.jobs import Verb

EXAMPLES = """\
  sudo archipel support
  sudo archipel support -o /media/usb"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("support", EXAMPLES)
    made.add_argument(
        "-o", "--output", metavar="DIRECTORY", help="where to write it (default: /var/lib/archipel/support)"
    )
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _support, arguments)


def _support(session: Session) -> int:
    options: dict[str, Value] = {}
    if session.options.output is not None:
        options["directory"] = str(Path(session.options.output).absolute())  # the agent works elsewhere
    ensure_agent(session, "support")
    return run_job(session, Verb.SUPPORT, options)
