"""`archipel clock`: how far this machine's clock is trusted and why, and setting it by hand where nothing keeps it."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark, duration
from archipel_agent.cli.reader import reader
from archipel_contract.exits import Exit
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.status import NodeStatus, Report

EXAMPLES = """\
  archipel clock show
  sudo archipel clock set "2026-11-22 14:05"
  sudo archipel clock set 2026-11-22T13:05:00Z"""

MARK_OF_QUALITY = {
    ClockQuality.SYNCHRONIZED: Mark.GOOD,
    ClockQuality.PLAUSIBLE: Mark.WARN,
    ClockQuality.WRONG: Mark.BAD,
    ClockQuality.UNKNOWN: Mark.OPEN,
}
WORDS_OF_SOURCE = {
    ClockSource.TIME_SERVER: "a time server keeps it right",
    ClockSource.FLEET: "the fleet has said the time",
    ClockSource.TECHNICIAN: "it was set by hand",
    ClockSource.PEER: "another node of the site has said the time",
    ClockSource.RTC: "a battery-backed clock keeps it",
    ClockSource.NONE: "nobody says what time it is",
    ClockSource.UNKNOWN: "not known",
}
AGREES_MS = 1000


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("clock", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    show = words.add_parser("show", help="how far the clock is trusted, and why", allow_abbrev=False)
    put = words.add_parser(
        "set", help="set the clock by hand, where no time server keeps it", allow_abbrev=False
    )
    put.add_argument("time", metavar="TIME", help='local time as "2026-11-22 14:05", or with its zone')
    for one in (show, put):
        command.common(one)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), lambda session: WORDS[session.options.word](session), arguments)


def words(node: NodeStatus) -> str:
    """Return in one line how far the clock is trusted and who stands behind it, as `archipel status` shows it too."""
    parts = [node.clock.value]
    if node.clock_source is not ClockSource.UNKNOWN:
        parts.append(WORDS_OF_SOURCE[node.clock_source])
    if node.clock_offset_ms is not None:
        parts.append(_beside_the_fleet(node.clock_offset_ms))
    return ", ".join(parts)


def _beside_the_fleet(offset: int) -> str:
    if abs(offset) < AGREES_MS:
        return "agrees with the fleet"
    side = "ahead of" if offset > 0 else "behind"
    return f"{duration(abs(offset) / 1000)} {side} the fleet"


def _show(session: Session) -> int:
    report = reader(session).report(fresh=False)
    _tell(session, report)
    return Exit.NOT_OK if report.node.clock is ClockQuality.WRONG else Exit.OK


def _set(session: Session) -> int:
    at = moment(session.options.time)
    _tell(session, session.client.call("set_clock", _wish(at)))
    return Exit.OK


def _wish(at: datetime) -> object:
    from archipel_contract.api import ClockWish

    return ClockWish(at=at.isoformat())


def moment(said: str) -> datetime:
    """Return the time in UTC that a person means; without a zone it is this machine's. Raises Stop."""
    try:
        return datetime.fromisoformat(said).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise Stop(Exit.USAGE, f'{said!r} is no time; write it like "2026-11-22 14:05"') from None


def _tell(session: Session, report: Report) -> None:
    screen, node = session.screen, report.node
    if screen.as_json:
        names = ("clock", "clock_source", "clock_floor", "clock_offset_ms")
        screen.data({"at": report.at, **{name: getattr(node, name) for name in names}})
        return
    screen.line(f"{screen.mark(MARK_OF_QUALITY[node.clock])} {report.at}: {words(node)}")
    if node.clock_floor:
        screen.line(f"  It is certainly later than {node.clock_floor}.")
    for finding in report.findings:
        if finding.code.startswith("clock-"):
            screen.brief(finding)


WORDS: dict[str, Callable[[Session], int]] = {"show": _show, "set": _set}
