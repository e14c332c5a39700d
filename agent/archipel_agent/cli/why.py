"""`archipel why`: explains why the site is not OK, or one finding: evidence, cause, remedy, and the steps of its runbook."""

import argparse
import string

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.reader import reader
from archipel_contract.catalogue import CodeUnknown, entries, entry
from archipel_contract.exits import Exit
from archipel_contract.findings import Finding
from archipel_contract.status import Health, Report

EXAMPLES = """\
  archipel why
  archipel why memory-cgroup-off
  archipel why memory-cgroup-off --lang de
  archipel why --list"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("why", EXAMPLES)
    made.add_argument(
        "code", nargs="?", metavar="CODE", help="the finding to explain (default: all there are now)"
    )
    made.add_argument("--list", action="store_true", help="list every finding this version knows")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _why, arguments)


def _why(session: Session) -> int:
    if session.options.list:
        return _list(session)
    code = session.options.code
    if code is not None and code not in entries():
        near = [known for known in entries() if set(known.split("-")) & set(code.split("-"))]
        hint = f" Near it: {', '.join(near[:5])}." if near else ""
        raise Stop(Exit.USAGE, f"there is no finding {code!r}.{hint} See archipel why --list.")
    report = reader(session).report(False)
    present = [one for one in report.findings if code is None or one.code == code]
    if session.screen.as_json:
        session.screen.data(present or ([general(code)] if code else []))
    elif present:
        for number, finding in enumerate(present):
            if number:
                session.screen.line()
            session.screen.finding(finding, full=True)
    elif code is not None:
        session.screen.line("This machine does not have this finding now. What it means in general:")
        session.screen.finding(general(code), full=True)
    else:
        session.screen.line(_without_findings(report))
    return Exit.NOT_OK if present or (code is None and report.health is not Health.HEALTHY) else Exit.OK


def general(code: str) -> Finding:
    """Return the finding as the catalogue has it, with <name> where a machine would show a value; raise CodeUnknown."""
    known = entry(code)
    texts = known.texts["en"]
    sentences = (texts.title, texts.cause, texts.remedy, *texts.runbook, *texts.plan, texts.undo)
    names = {name for text in sentences for _, name, _, _ in string.Formatter().parse(text) if name}
    params = {name: f"<{name}>" for name in names}
    return Finding(code=code, severity=known.severity, params=params)


def _without_findings(report: Report) -> str:
    if report.health is Health.HEALTHY:
        return f"Nothing is wrong. {report.sentence}"
    return f"{report.health.value}: {report.sentence} No check has found a reason yet; archipel doctor looks at everything."


def _list(session: Session) -> int:
    if session.screen.as_json:
        session.screen.data(sorted(entries()))
        return Exit.OK
    rows = [
        [code, known.severity.value, known.texts[session.screen.language].title]
        for code, known in entries().items()
    ]
    session.screen.table(sorted(rows), indent="")
    return Exit.OK


__all__ = ["CodeUnknown", "general", "main", "parser"]
