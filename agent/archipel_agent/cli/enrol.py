"""`archipel enrol`: brings this machine into a fleet, by a token or by a code that somebody there compares; shows how it
stands. The agent does the work, also when this command has ended long before.
"""

import argparse
import getpass
import sys
from pathlib import Path

from archipel_agent.cli import command
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.output import Mark
from archipel_agent.cli.reader import living
from archipel_contract.api import EnrolmentWish
from archipel_contract.exits import Exit
from archipel_contract.status import EnrolmentStatus, Membership

EXAMPLES = """\
  sudo archipel enrol https://fleet.example:8471              asks for the token, which then is in no process list
  sudo archipel enrol https://fleet.example:8471 --token-file /media/stick/token
  sudo archipel enrol "https://fleet.example:8471/#ID.SECRET.PIN"
  sudo archipel enrol https://fleet.example:8471 --claim      without a token: compare a code, somebody approves it
  archipel enrol                                              how it stands
  sudo archipel enrol --leave                                 forget the fleet; the cluster runs on

A later machine of a site that is in the fleet needs no token: a node there vouches for it.
  sudo archipel enrol --request /media/stick/request          on the new machine
  sudo archipel enrol --vouch /media/stick/request --out /media/stick/voucher      on a node of the site
  sudo archipel enrol --token-file /media/stick/voucher       on the new machine

The token is made at the fleet. It holds the pin of the fleet's CA, so that this machine sends nothing secret before it
is sure who answers; its key is made here and never leaves it. A clock in 1970 does not matter. If this machine belongs
to a fleet already, --again enrols it anew; until that has succeeded it stays where it is."""

POLL_SECONDS = 0.5
MARKS = {
    Membership.ENROLLED: Mark.GOOD,
    Membership.PENDING: Mark.NOW,
    Membership.WAITING: Mark.NOW,
    Membership.REFUSED: Mark.BAD,
    Membership.EXPIRED: Mark.BAD,
    Membership.NONE: Mark.NONE,
    Membership.UNKNOWN: Mark.OPEN,
}
WORDS = {
    Membership.ENROLLED: "enrolled",
    Membership.PENDING: "waits for somebody at the fleet to approve it",
    Membership.WAITING: "asks the fleet",
    Membership.REFUSED: "refused",
    Membership.EXPIRED: "enrolled, but its certificate has ended",
    Membership.NONE: "belongs to no fleet",
    Membership.UNKNOWN: "not known",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("enrol", EXAMPLES)
    made.add_argument(
        "link",
        metavar="LINK",
        nargs="?",
        help="https://host:port of the fleet, with or without the token behind #",
    )
    made.add_argument(
        "--token-file", metavar="FILE", help="file with the token or the whole link; - is standard input"
    )
    made.add_argument(
        "--claim", action="store_true", help="without a token: show a code that somebody compares"
    )
    made.add_argument("--again", action="store_true", help="also if this machine belongs to a fleet already")
    made.add_argument(
        "--request", metavar="FILE", help="write what a node of the site needs to vouch for this machine"
    )
    made.add_argument(
        "--vouch", metavar="FILE", help="vouch for the machine whose request this is, at this machine's fleet"
    )
    made.add_argument(
        "--out", metavar="FILE", help="with --vouch: where the voucher goes; else it is printed"
    )
    made.add_argument("--leave", action="store_true", help="leave the fleet: keys are wiped, k3s runs on")
    made.add_argument("--yes", action="store_true", help="with --leave: do not ask")
    made.add_argument("--no-wait", action="store_true", help="do not wait for the end; the agent goes on")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _enrol, arguments)


def _enrol(session: Session) -> int:
    options = session.options
    if apart := _apart(options):
        from archipel_agent.cli import enrol_apart

        if options.link or options.token_file or options.claim or options.again or len(apart) > 1:
            raise Stop(Exit.USAGE, f"{apart[0]} goes with no other wish")
        return enrol_apart.WORK[apart[0]](session)
    if options.link is None and not options.token_file:
        if options.claim or options.again:
            raise Stop(Exit.USAGE, "say where the fleet is: archipel enrol https://host:port")
        return _end(session, _present(session))
    wish = EnrolmentWish(link=_link(session), again=options.again)
    ensure_agent(session, "enrol")
    status: EnrolmentStatus = session.client.call("enrol", wish)
    if not options.no_wait:
        status = _followed(session, status)
    return _end(session, status)


def _apart(options: argparse.Namespace) -> list[str]:
    """Return which of the wishes are named that do not enrol this machine."""
    named = {"--request": options.request, "--vouch": options.vouch, "--leave": options.leave}
    return [name for name, value in named.items() if value]


def _link(session: Session) -> str:
    """Return address and token as one link; raise Stop when it is not clear by what right to enrol."""
    options = session.options
    link: str = options.link or ""
    if options.token_file:
        said = _token_in(options.token_file)
        if said.startswith("https://"):
            return said
        if not link:
            raise Stop(
                Exit.USAGE,
                "the file has a token, but not where the fleet is: archipel enrol https://host:port ...",
            )
        return f"{link.rstrip('/')}/#{said}"
    if options.claim or "#" in link:
        return link.partition("#")[0].rstrip("/") if options.claim else link
    if not session.interactive:
        raise Stop(
            Exit.USAGE, "there is no token: give --token-file FILE, or --claim to be approved by a code"
        )
    said = getpass.getpass("Token (not shown; empty: be approved by a code): ").strip()
    return f"{link.rstrip('/')}/#{said}" if said else link


def _token_in(name: str) -> str:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(
            Exit.USAGE, f"{name} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    lines = (line.strip() for line in text.splitlines())
    found = next((line for line in lines if line and not line.startswith("#")), "")
    if not found:
        raise Stop(Exit.USAGE, f"{name} has no token in it")
    return found


def _present(session: Session) -> EnrolmentStatus:
    status: EnrolmentStatus
    if living(session.client) is not None:
        status = session.client.call("enrolment")
        return status
    session.screen.note("No agent runs here, and only a running agent knows its fleet.")
    return EnrolmentStatus(state=Membership.UNKNOWN)


def _followed(session: Session, status: EnrolmentStatus) -> EnrolmentStatus:
    """Show each step until it has ended one way or the other; a person may be waited for, for as long as they take."""
    shown: tuple[str, ...] = ()
    while status.state in (Membership.WAITING, Membership.PENDING):
        said = (status.state, status.claim, status.message)
        if said != shown and not session.screen.as_json:
            _show_step(session, status)
        shown = said
        session.clock.wait(POLL_SECONDS)
        status = session.client.call("enrolment")
    return status


def _show_step(session: Session, status: EnrolmentStatus) -> None:
    screen = session.screen
    if status.state is Membership.PENDING and status.claim:
        screen.line()
        screen.line(f"    {screen.strong(' '.join(status.claim))}")
        screen.line()
        screen.line(
            f"{screen.mark(Mark.NOW)} Somebody at the fleet compares this code and approves it. Waiting; Ctrl-C ends only"
        )
        screen.line("  this command, the agent goes on.")
    elif status.message:
        screen.line(
            f"{screen.mark(Mark.WARN)} not yet: {status.message}; trying again by itself ({status.next_try_at})"
        )
    else:
        screen.line(f"{screen.mark(MARKS[status.state])} {WORDS[status.state]} at {status.address}")


def line(status: EnrolmentStatus) -> str:
    """Return in one line how a machine stands with its fleet, as `archipel status` shows it too."""
    name = status.fleet or status.address
    parts = [f"{WORDS[status.state]}{f' ({name})' if name else ''}"]
    if status.display_name:
        parts.append(f"as {status.display_name}")
    if status.claim and status.state is not Membership.ENROLLED:
        parts.append(f"code {status.claim}")
    if status.certificate_until:
        parts.append(f"certificate until {status.certificate_until}")
    if status.message:
        parts.append(status.message)
    return ", ".join(parts)


def _end(session: Session, status: EnrolmentStatus) -> Exit:
    screen = session.screen
    if screen.as_json:
        screen.data(status)
    else:
        screen.line(f"{screen.mark(MARKS[status.state])} {line(status)}")
        if status.state is Membership.NONE:
            screen.line("  To enrol it: archipel enrol --help")
        elif status.code:
            screen.line(f"  More about it: archipel why {status.code}")
    if status.state is Membership.REFUSED:
        return Exit.REFUSED
    has_been_asked = session.options.link is not None or session.options.token_file
    is_good = status.state is Membership.ENROLLED or (has_been_asked and session.options.no_wait)
    return Exit.OK if is_good or status.state is Membership.NONE else Exit.NOT_OK
