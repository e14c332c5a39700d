"""What all commands share: the options every one takes, the session they work in, and from error to exit code."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archipel_agent.cli import output
from archipel_agent.paths import Paths, here
from archipel_agent.service import Refused
from archipel_contract.api import Problem
from archipel_contract.client import AgentAway, AgentClient, ApiRefused, NotAdmitted
from archipel_contract.exits import Exit
from archipel_contract.launcher import COMMANDS
from archipel_contract.wire import WireError

if TYPE_CHECKING:
    from archipel_agent.ports import Clock

TIMEOUT_SECONDS = 60.0  # a fresh turn or all checks on a slow card take a while


class Stop(Exception):
    """The command ends here with an exit code; the message goes to standard error."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command."""

    options: argparse.Namespace
    screen: output.Screen
    paths: Paths
    client: AgentClient
    given_clock: "Clock | None" = None  # by tests; else the machine's

    @property
    def clock(self) -> "Clock":
        """The clock, loaded by those commands only that wait."""
        if self.given_clock is not None:
            return self.given_clock
        from archipel_agent.host.clock import SystemClock

        return SystemClock()

    @property
    def interactive(self) -> bool:
        """Whether somebody sits there who can answer a question."""
        return sys.stdin.isatty() and self.screen.out.isatty() and not self.screen.as_json


def parser(word: str, examples: str, *, json: bool = True, plain: bool = False) -> argparse.ArgumentParser:
    """Return the parser of a command with the options all commands have; `examples` is shown at the end of its help.

    `plain` leaves those options out, for a command whose words below it have them.
    """
    summary = COMMANDS[word][2]
    made = argparse.ArgumentParser(
        prog=f"archipel {word}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples.rstrip()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if not plain:
        common(made, json=json)
    return made


def common(made: argparse.ArgumentParser, *, json: bool = True) -> None:
    """Add the options every command has."""
    if json:
        made.add_argument("--json", action="store_true", help="answer as JSON on standard output")
    made.add_argument("--lang", choices=("en", "de"), help="language of findings (default: by the locale)")
    made.add_argument("--color", choices=tuple(output.COLOR_CHOICES), default="auto", help="when to colour")


def run(made: argparse.ArgumentParser, work: Callable[[Session], int], arguments: list[str]) -> int:
    """Parse the arguments, do the work, and return the exit code; every foreseen error becomes a sentence and a code."""
    try:
        options = made.parse_args(arguments)
    except SystemExit as end:  # argparse has said what is wrong, or has shown the help
        return int(end.code or 0)
    session = session_of(options)
    try:
        return int(work(session))
    except Stop as stop:
        if str(stop):
            session.screen.note(f"{made.prog}: {stop}")
        return stop.code
    except (ApiRefused, Refused) as refused:
        return refuse(session, refused.status, refused.problem)
    except NotAdmitted as error:
        session.screen.note(f"{made.prog}: {error}: it belongs to root and the group archipel. Use sudo.")
        return Exit.NOT_PERMITTED
    except (AgentAway, WireError) as error:
        session.screen.note(f"{made.prog}: the agent does not answer: {error}")
        return Exit.AGENT_AWAY
    except KeyboardInterrupt:
        session.screen.note("")
        return Exit.INTERRUPTED


def session_of(options: argparse.Namespace) -> Session:
    """Return the session that options and environment describe."""
    paths = here()
    screen = output.standard(options.color, options.lang, bool(getattr(options, "json", False)))
    return Session(options, screen, paths, AgentClient(paths.socket, TIMEOUT_SECONDS))


# error word of a Problem -> exit code; other errors go by their HTTP status
BY_WORD = {"busy": Exit.BUSY, "too-many-connections": Exit.AGENT_AWAY, "option-invalid": Exit.USAGE}
BY_STATUS = {400: Exit.USAGE, 403: Exit.NOT_PERMITTED, 404: Exit.NOT_OK, 409: Exit.REFUSED, 503: Exit.REFUSED}


def agreed() -> None:
    """Return once the person who sits there has said yes to what was shown; raise Stop otherwise."""
    try:
        said = input("Type yes to go on: ").strip().lower()
    except EOFError:
        said = ""
    if said not in ("yes", "ja"):
        raise Stop(Exit.REFUSED, "nothing was changed")


def consented(session: Session, question: Callable[[], None]) -> None:
    """Return once it is certain that somebody wants what loses something; raise Stop otherwise.

    Whoever sits there is asked by `question`; where nobody can answer, in a pipe or a script, --yes must have been said.
    """
    if session.options.yes:
        return
    if not session.interactive:
        raise Stop(Exit.REFUSED, "nothing was changed: nobody is here to be asked; say --yes if you mean it")
    question()


def refuse(session: Session, status: int, problem: Problem) -> Exit:
    """Show an answer that is an error, and return the exit code it stands for."""
    screen = session.screen
    if screen.as_json:
        screen.data(problem)
    if problem.finding:
        screen.remark(problem.finding)
    else:
        screen.note(f"archipel: {problem.message}")
        if problem.remedy:
            screen.note(f"  {problem.remedy}")
    return BY_WORD.get(problem.error) or BY_STATUS.get(status, Exit.FAILED)
