"""`archipel logs`: the last lines of k3s or of the agent, secrets removed by the agent; `-f` goes on with new ones."""

import argparse
from collections.abc import Sequence

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.reader import Reader, reader
from archipel_contract.exits import Exit

EXAMPLES = """\
  archipel logs
  archipel logs k3s -n 50 -f
  archipel logs agent"""

MOST = 2000
FOLLOW_SECONDS = 1.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("logs", EXAMPLES)
    made.add_argument(
        "source", nargs="?", choices=("k3s", "agent"), default="k3s", help="whose log (default: k3s)"
    )
    made.add_argument(
        "-n", "--lines", type=_count, default=200, metavar="N", help=f"how many, 1 to {MOST} (default: 200)"
    )
    made.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _logs, arguments)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")
    return int(text)


def _logs(session: Session) -> int:
    asked = reader(session)
    answer = asked.logs(session.options.source, session.options.lines)
    if session.options.follow:
        return _follow(session, asked, answer.lines)
    is_empty = not any(line.strip() for line in answer.lines)
    if session.screen.as_json:
        session.screen.data(answer)
    elif not is_empty:
        _print(session, answer.lines)
    if is_empty:
        session.screen.note(f"The log of {session.options.source} is empty or cannot be read.")
    return Exit.OK


def _follow(session: Session, asked: Reader, seen: tuple[str, ...]) -> int:
    _print(session, seen)
    while True:
        session.clock.wait(FOLLOW_SECONDS)
        # Enough to find where the lines seen so far end, even if many came at once.
        now = asked.logs(session.options.source, MOST).lines
        _print(session, added(seen, now))
        seen = now


def added(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Return the lines of `now` behind the longest end of `before` that is found in it; all where none is."""
    for start in range(len(before)):
        tail = before[start:]
        for at in range(len(now) - len(tail), -1, -1):
            if now[at : at + len(tail)] == tail:
                return now[at + len(tail) :]
    return now


def _print(session: Session, lines: Sequence[str]) -> None:
    for line in lines:
        session.screen.line(line)
