"""`archipel repair`: what is wrong now and can be repaired, with what would be done; with a finding's code, the repair."""

import argparse

from archipel_agent.cli import command, fixing
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import price
from archipel_agent.cli.reader import reader
from archipel_contract.catalogue import words
from archipel_contract.exits import Exit
from archipel_contract.findings import Finding

EXAMPLES = """\
  archipel repair                                    what is wrong now, and what a repair would do
  archipel repair address-gone --plan                one of them in detail; nothing is changed
  sudo archipel repair address-gone --interface eth0
  sudo archipel repair disk-full --free images --free journal --yes
  sudo archipel repair datastore-damaged --undo"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("repair", EXAMPLES)
    made.add_argument("code", nargs="?", metavar="CODE", help="the finding to repair (default: list them)")
    made.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    made.add_argument("--yes", action="store_true", help="ask nothing")
    made.add_argument("--undo", action="store_true", help="take back what the repair of this finding changed")
    made.add_argument("--node-ip", metavar="ADDRESS", help="for an address that changed: the one to take")
    made.add_argument("--interface", metavar="NAME", help="for a network card that changed: the one to take")
    made.add_argument(
        "--free", action="append", metavar="KIND", help="for a full disk: only this kind (repeat for more)"
    )
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _repair, arguments)


def _repair(session: Session) -> int:
    options = session.options
    if options.code is None:
        if options.undo or options.yes or options.free or options.node_ip or options.interface:
            raise Stop(Exit.USAGE, "say which finding; archipel repair lists those there are")
        return _list(session)
    if options.undo:
        return fixing.undo(session, options.code)
    return fixing.fix(session, options.code, said(options))


def said(options: argparse.Namespace) -> dict[str, str | bool | int | list[str]]:
    """Return what was said about how to repair, as options of the job."""
    given = {"node_ip": options.node_ip, "interface": options.interface, "free": options.free}
    return {name: value for name, value in given.items() if value}


def _list(session: Session) -> int:
    results = reader(session).checks().results
    found = [one for result in results for one in result.findings]
    repairable = [one for one in found if one.fix is not None]
    if session.screen.as_json:
        session.screen.data(repairable)
    else:
        _show(session, found, repairable)
    return Exit.NOT_OK if repairable else Exit.OK


def _show(session: Session, found: list[Finding], repairable: list[Finding]) -> None:
    screen = session.screen
    for one in repairable:
        text = words(one, screen.language)
        screen.finding(one)
        for number, sentence in enumerate(text.plan, 1):
            screen.line(f"  {'plan' if number == 1 else '':<8}  {number}. {sentence}")
        if one.fix is not None:
            screen.line(f"  {'do it':<8}  sudo archipel repair {one.code}{price(one.fix)}")
        screen.line()
    others = len(found) - len(repairable)
    if not repairable:
        screen.line("There is nothing that the agent could repair.")
    if others:
        more = "1 more finding is" if others == 1 else f"{others} more findings are"
        screen.line(f"{more} left to a person: archipel doctor --found")
