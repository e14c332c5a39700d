"""`archipel remove`: takes the agent, k3s or everything away. Without a choice it shows them and does nothing."""

import argparse

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import run_job
from archipel_contract.exits import Exit
from archipel_contract.jobs import Verb

EXAMPLES = """\
  archipel remove                    shows the choices, does nothing
  sudo archipel remove --agent-only
  sudo archipel remove --everything --yes"""

# choice -> what goes, what stays
CHOICES = {
    "agent-only": ("the agent and its identity", "k3s, its pods, settings and data run on as a stock k3s"),
    "keep-data": (
        "the agent, k3s and its pods",
        "the site's data and settings; a later `up` goes on with them",
    ),
    "everything": (
        "the agent, k3s, its pods, settings and data",
        "none of the data; what little is left is named at the end",
    ),
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("remove", EXAMPLES)
    choice = made.add_mutually_exclusive_group()
    for name, (goes, stays) in CHOICES.items():
        help_text = f"remove {goes}; what stays: {stays}"
        choice.add_argument(f"--{name}", dest="what", action="store_const", const=name, help=help_text)
    made.add_argument("--yes", action="store_true", help="ask nothing")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _remove, arguments)


def _remove(session: Session) -> int:
    what: str | None = session.options.what
    if what is None:
        return _show(session)
    command.consented(session, lambda: _confirm(session, what))
    ensure_agent(session, f"remove --{what}")
    return run_job(session, Verb.REMOVE, {"what": what})


def _show(session: Session) -> int:
    if session.screen.as_json:
        session.screen.data({name: {"goes": goes, "stays": stays} for name, (goes, stays) in CHOICES.items()})
        return Exit.OK
    session.screen.line("Nothing has been changed. Say what to remove:")
    rows = [["", "goes", "stays"]]
    rows += [[f"--{name}", goes, stays] for name, (goes, stays) in CHOICES.items()]
    session.screen.table(rows)
    return Exit.OK


def _confirm(session: Session, what: str) -> None:
    goes, stays = CHOICES[what]
    session.screen.line(f"This removes {goes}. What stays: {stays}. It cannot be undone half-way.")
    command.agreed()
