"""`archipel answers`: the file by which a machine sets itself up. A template, its mistakes, applying it, what came of it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.output import Mark, Screen
from archipel_agent.cli.reader import reader
from archipel_contract.answers import FILE, AnswersState, AnswersStatus, AnswersWish
from archipel_contract.exits import Exit

if TYPE_CHECKING:
    from archipel_agent.answers.reading import Reading

EXAMPLES = f"""\
  archipel answers new > {FILE}
  archipel answers check {FILE}
  archipel answers apply {FILE} --plan
  sudo archipel answers apply /media/stick/{FILE}
  archipel answers show

Put the file on the boot partition, a stick, or into /etc/archipel: the agent finds it by itself, applies it, and writes
what came of it beside it (archipel-result.txt). Tokens and passwords in it are blanked once they are used. A file that
has been applied is not applied again until it changes; two new files that differ are refused."""

POLL_SECONDS = 0.5
MARKS = {
    AnswersState.NONE: Mark.NONE,
    AnswersState.WAITING: Mark.NOW,
    AnswersState.REFUSED: Mark.BAD,
    AnswersState.WORKING: Mark.NOW,
    AnswersState.DONE: Mark.GOOD,
    AnswersState.UNKNOWN: Mark.OPEN,
}
WORDS_OF_STATE = {
    AnswersState.NONE: "there is no answer file",
    AnswersState.WAITING: "waits for the boot partition, on which there may be one",
    AnswersState.REFUSED: "nothing of it was applied",
    AnswersState.WORKING: "is being applied",
    AnswersState.DONE: "has been applied",
    AnswersState.UNKNOWN: "not known",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("answers", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    check = words.add_parser("check", help="say what is wrong in a file; changes nothing", allow_abbrev=False)
    put = words.add_parser("apply", help="apply a file now", allow_abbrev=False)
    show = words.add_parser("show", help="which file is in force, and what came of it", allow_abbrev=False)
    new = words.add_parser(
        "new", help="print a file with every key in it and what it means", allow_abbrev=False
    )
    for one in (check, put):
        one.add_argument("file", metavar="FILE", help=f"the answer file, usually called {FILE}")
    put.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    put.add_argument("--no-wait", action="store_true", help="do not wait for the end; the agent goes on")
    for one in (check, put, show, new):
        command.common(one)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), lambda session: WORDS[session.options.word](session), arguments)


def _read(session: Session) -> "Reading":
    from archipel_agent.answers.reading import read
    from archipel_agent.answers.text import MOST

    path = Path(session.options.file).absolute()
    try:
        with path.open("rb") as readable:
            return read(str(path), readable.read(MOST + 1))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {error.strerror or error}") from error


def _check(session: Session) -> int:
    read = _read(session)
    screen = session.screen
    if screen.as_json:
        screen.data(
            {"file": read.file, "values": read.shown, "mistakes": read.mistakes, "remarks": read.remarks}
        )
    else:
        _mistakes(screen, read)
        if not read.mistakes:
            screen.line(f"{screen.mark(Mark.GOOD)} {read.file}: nothing is wrong with it")
            _values(screen, read.shown)
    return Exit.NOT_OK if read.mistakes else Exit.OK


def _mistakes(screen: Screen, read: "Reading") -> None:
    for one in (*read.mistakes, *read.remarks):
        screen.finding(one)


def _values(screen: Screen, values: dict[str, str]) -> None:
    screen.table([(key, value) for key, value in values.items()], indent="    ")


def _apply(session: Session) -> int:
    if session.options.plan:
        return _plan(session)
    path = Path(session.options.file).absolute()
    _refuse_mistakes(session)
    ensure_agent(session, "answers apply")
    status: AnswersStatus = session.client.call("apply_answers", AnswersWish(path=str(path)))
    while status.state is AnswersState.WORKING and not session.options.no_wait:
        session.clock.wait(POLL_SECONDS)
        status = _present(session, status)
    _tell(session, status)
    is_good = status.state is AnswersState.DONE or session.options.no_wait
    return Exit.OK if is_good and status.state is not AnswersState.REFUSED else Exit.NOT_OK


def _present(session: Session, last: AnswersStatus) -> AnswersStatus:
    """Return how it stands; the agent that begins again with new settings is away for a moment."""
    from archipel_contract.client import AgentAway

    try:
        status: AnswersStatus = session.client.call("answers")
    except AgentAway:
        return last
    return status


def _refuse_mistakes(session: Session) -> None:
    """Say what is wrong before anything is started; raise Stop."""
    read = _read(session)
    if read.mistakes:
        if session.screen.as_json:
            session.screen.data(
                AnswersStatus(state=AnswersState.REFUSED, file=read.file, findings=read.mistakes)
            )
        else:
            _mistakes(session.screen, read)
        raise Stop(Exit.NOT_OK, "")


def _plan(session: Session) -> int:
    from archipel_agent.answers import course

    read = _read(session)
    if read.mistakes:
        _refuse_mistakes(session)
    report = reader(session).report(fresh=False)
    wish = course.wish(read.values, {}, Path(read.file).parent, report.site)
    joining = course.joining(read.values, {}, report.enrolment, was_left=False)
    settings = {
        name: "***" if _hides(read, name) else value for name, value in course.settings(read.values).items()
    }
    findings = (*read.remarks, *wish.findings, *joining.findings)
    screen = session.screen
    if screen.as_json:
        screen.data(
            {"settings": settings, "up": wish.options, "enrols": bool(joining.link), "findings": findings}
        )
        return Exit.OK
    screen.line(f"Nothing has been changed. `archipel answers apply {read.file}` would:")
    for name, value in settings.items():
        screen.line(f"{screen.mark(Mark.NOW)} write the setting {name} = {value}")
    at = course.not_before(read.values)
    if at is not None:
        screen.line(
            f"{screen.mark(Mark.NOW)} set the clock, if it shows a time before {at:%Y-%m-%d %H:%M} UTC"
        )
    if joining.link:
        screen.line(f"{screen.mark(Mark.NOW)} enrol with {joining.link.partition('#')[0].rstrip('/')}")
    if wish.options is not None:
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in wish.options.items())
        screen.line(f"{screen.mark(Mark.NOW)} archipel up {options}".rstrip())
    for one in findings:
        screen.finding(one)
    return Exit.OK


def _hides(read: "Reading", setting: str) -> bool:
    """Whether the value of this setting is for nobody's eyes."""
    from archipel_agent.answers.reading import is_secret
    from archipel_agent.answers.schema import FIELDS

    named = ((FIELDS[key], value) for key, value in read.values.items())
    return any(one.setting == setting and is_secret(one, value) for one, value in named)


def _show(session: Session) -> int:
    status = reader(session).answers()
    _tell(session, status)
    return Exit.NOT_OK if status.state is AnswersState.REFUSED else Exit.OK


def _tell(session: Session, status: AnswersStatus) -> None:
    screen = session.screen
    if screen.as_json:
        screen.data(status)
        return
    screen.line(
        f"{screen.mark(MARKS[status.state])} {status.file}{': ' if status.file else ''}{WORDS_OF_STATE[status.state]}"
    )
    _values(screen, status.values)
    for one in status.done:
        screen.line(
            f"{screen.mark(Mark.GOOD)} {one.at}  {one.deed.value}{f': {one.detail}' if one.detail else ''}"
        )
    for deed in status.waits_for:
        screen.line(f"{screen.mark(Mark.NOW)} still to come: {deed.value}")
    for finding in status.findings:
        screen.finding(finding)


def _new(session: Session) -> int:
    from archipel_agent.answers.template import template

    if session.screen.as_json:
        session.screen.data({"text": template()})
    else:
        session.screen.out.write(template())
    return Exit.OK


WORDS: dict[str, Callable[[Session], int]] = {"check": _check, "apply": _apply, "show": _show, "new": _new}
