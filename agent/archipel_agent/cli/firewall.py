"""`archipel firewall`: what may come in to this machine; switched on for a minute, kept once somebody confirms.

The words only edit the declaration and start jobs of the agent; the rules are made in `archipel_agent.firewall`.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import run_job
from archipel_agent.cli.output import Mark
from archipel_agent.firewall.declared import DEFAULT, DeclarationInvalid, Opening, opening, parse, text_of
from archipel_agent.firewall.files import boot_file, declaration
from archipel_agent.firewall.looking import Consequence, consequences, shuts_out
from archipel_agent.firewall.rules import CONFIRM_SECONDS
from archipel_agent.firewall.standing import TABLE, Stand, Standing, read
from archipel_contract.exits import Exit
from archipel_contract.jobs import Verb

EXAMPLES = """\
  archipel firewall show
  sudo archipel firewall open 443/tcp
  sudo archipel firewall open 6443/tcp from 192.168.7.0/24
  sudo archipel firewall on
  sudo archipel firewall confirm
  sudo archipel firewall off"""

MARKS = {
    Standing.ON: Mark.GOOD,
    Standing.UNCONFIRMED: Mark.WARN,
    Standing.EXPIRED: Mark.BAD,
    Standing.OFF: Mark.OPEN,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command with those of its words."""
    made = command.parser("firewall", EXAMPLES, plain=True)
    words = made.add_subparsers(dest="word", metavar="WORD", required=True)
    helps = {
        "show": "what may come in, and what becomes of everything that listens",
        "open": "declare that something may come in",
        "close": "declare that it may not come in any more",
        "on": f"switch it on for {CONFIRM_SECONDS} seconds, to see whether you can still come in",
        "confirm": "keep it on, now and after every start",
        "off": "let everything in again",
    }
    for word, said in helps.items():
        one = words.add_parser(word, help=said, allow_abbrev=False)
        if word in ("open", "close"):
            one.add_argument(
                "opening",
                metavar="PORT/PROTOCOL",
                nargs="+",
                help="such as 443/tcp, or 53/udp from 10.0.0.0/8",
            )
        if word == "on":
            one.add_argument(
                "--yes", action="store_true", help="also where this connection's port is not open"
            )
            one.add_argument(
                "--keep", action="store_true", help="keep it on at once, without being confirmed"
            )
        command.common(one)
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), lambda session: WORDS[session.options.word](session), arguments)


def _declared(session: Session) -> tuple[Opening, ...]:
    path = declaration(session.paths)
    try:
        return parse(path.read_bytes().decode())
    except FileNotFoundError:
        return DEFAULT
    except (DeclarationInvalid, UnicodeDecodeError, OSError) as error:
        raise Stop(Exit.REFUSED, f"{path}: {error}") from error


def _stand(session: Session) -> Stand | None:
    """Return how it stands in the kernel; None where only root may ask, or without nft."""
    from archipel_agent.host.run import SystemRunner
    from archipel_agent.ports import CommandFailed

    runner = SystemRunner()
    if os.geteuid() != 0 or runner.find("nft") is None:
        return None
    try:
        return read(runner.run(["nft", "-j", "list", "table", "inet", TABLE], ok=(0, 1)).stdout)
    except (CommandFailed, ValueError, LookupError):
        return None


def _show(session: Session) -> int:
    from archipel_agent.host.network import listeners

    declared, stand = _declared(session), _stand(session)
    seen = consequences(declared, listeners() or ())
    if session.screen.as_json:
        session.screen.data(
            {
                "standing": stand.standing if stand else "unknown",
                "kept": boot_file(session.paths).exists(),
                "seconds_left": stand.seconds_left if stand else 0,
                "refused": stand.refused if stand else None,
                "openings": [str(one) for one in declared],
                "listeners": [asdict(one) for one in seen],
            }
        )
        return Exit.OK
    screen = session.screen
    screen.line(_sentence(session, stand))
    screen.line(f"May come in: {', '.join(map(str, declared)) or 'nothing'}  ({declaration(session.paths)})")
    if seen:
        screen.table([[f"{one.port}/{one.protocol}", one.process or "-", _reach(one)] for one in seen])
    return Exit.NOT_OK if stand and stand.standing is Standing.EXPIRED else Exit.OK


def _sentence(session: Session, stand: Stand | None) -> str:
    screen, kept = session.screen, boot_file(session.paths).exists()
    if stand is None:
        told = "is meant to be on" if kept else "is off"
        return f"{screen.mark(Mark.OPEN)} The firewall {told}; only root can look into the kernel."
    said = {
        Standing.ON: f"The firewall is on; {stand.refused} packets refused so far.",
        Standing.UNCONFIRMED: f"The firewall is on for {stand.seconds_left} s more. Keep it: sudo archipel firewall confirm",
        Standing.EXPIRED: "Nobody confirmed the firewall: everything comes in again. Once more: sudo archipel firewall on",
        Standing.OFF: "The firewall is off, although it was kept on. Load it again: sudo archipel firewall on"
        if kept
        else "The firewall is off: everything that listens can be reached.",
    }
    return f"{screen.mark(MARKS[stand.standing])} {said[stand.standing]}"


def _reach(one: Consequence) -> str:
    if not one.reachable:
        return "closed while the firewall is on"
    return f"open from {one.origin}" if one.origin else "open"


def _change(session: Session, change: Callable[[set[Opening], set[Opening]], set[Opening]]) -> int:
    said = " ".join(session.options.opening)
    try:
        named = {opening(said)}
    except DeclarationInvalid as error:
        raise Stop(Exit.USAGE, str(error)) from error
    before = set(_declared(session))
    after = change(before, named)
    if after == before:
        session.screen.line("It is declared so already.")
        return Exit.OK
    from archipel_agent.host.disk import SystemDisk

    try:
        SystemDisk().write(declaration(session.paths), text_of(after).encode())
    except PermissionError as error:
        raise Stop(Exit.NOT_PERMITTED, "only root may declare what comes in. Use sudo.") from error
    session.screen.line(f"Declared: {', '.join(map(str, sorted(after))) or 'nothing'}.")
    session.screen.line("It counts from the next: sudo archipel firewall on")
    return Exit.OK


def _on(session: Session) -> int:
    missing = shuts_out(_declared(session), os.environ.get("SSH_CONNECTION", ""))
    if missing and not session.options.yes:
        raise Stop(
            Exit.REFUSED,
            f"you are connected through a port that would be closed. Open it: sudo archipel firewall open {missing}",
        )
    ensure_agent(session, "firewall on")
    what = "keep" if session.options.keep else "on"
    code = run_job(session, Verb.FIREWALL, {"what": what})
    if code != Exit.OK or session.options.keep:
        return code
    session.screen.note(
        f"It ends by itself in {CONFIRM_SECONDS} s. Come in by another connection, then: sudo archipel firewall confirm"
    )
    return code


def _confirm(session: Session) -> int:
    stand = _stand(session)
    if stand is not None and stand.standing in (Standing.OFF, Standing.EXPIRED):
        raise Stop(Exit.REFUSED, "there is nothing to confirm; switch it on first: sudo archipel firewall on")
    ensure_agent(session, "firewall confirm")
    return run_job(session, Verb.FIREWALL, {"what": "keep"})


def _off(session: Session) -> int:
    ensure_agent(session, "firewall off")
    return run_job(session, Verb.FIREWALL, {"what": "off"})


WORDS: dict[str, Callable[[Session], int]] = {
    "show": _show,
    "open": lambda session: _change(session, lambda before, named: before | named),
    "close": lambda session: _change(session, lambda before, named: before - named),
    "on": _on,
    "confirm": _confirm,
    "off": _off,
}
