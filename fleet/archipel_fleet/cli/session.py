"""`archipel fleet login` and `logout`: a session of one's own at a controller."""

import getpass
import os
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli import credentials
from archipel_fleet.cli.client import FleetClient, read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.credentials import Credentials
from archipel_fleet.cli.stop import Stop

LOGIN = """\
Log in, so that later commands are yours; the token is kept in ~/.config/archipel/fleet.json.

Whoever may read the controller's data directory needs no login.

Examples:

  archipel fleet login

  archipel fleet login nora --password-stdin < password.txt
"""
LOGOUT = """\
End the session of `login` and forget its token.

Examples:

  archipel fleet logout
"""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The session, as the API has it."""

    token: str
    name: str
    role: str
    customer: str | None = None


@dataclass(frozen=True, kw_only=True)
class LoginOptions(Asking):
    """Options of `login`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="The account; asked for if left out.")] = ""
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, "login", LoginOptions, login, LOGIN)
    add(app, "logout", Asking, logout, LOGOUT)


def login(session: Session[LoginOptions]) -> int:
    """Log in."""
    given = session.options
    url = credentials.find(given.url, given.data).url
    name = given.name or asked_for("Name: ")
    password = secret("Password: ", from_stdin=given.password_stdin)
    client = FleetClient(Credentials(url))
    try:
        opened = read(Opened, client.call("POST", "/login", json={"name": name, "password": password}))
    finally:
        client.close()
    path = credentials.remember(url, opened.token, os.environ)
    if session.screen.as_json:
        session.screen.data(
            {"name": opened.name, "role": opened.role, "customer": opened.customer, "url": url}
        )
        return Exit.OK
    whose = f"customer {opened.customer}" if opened.customer else "all customers"
    session.screen.line(f"Logged in at {url} as {opened.name} ({opened.role}, {whose}).")
    session.screen.note(f"The token is kept in {path}.")
    return Exit.OK


def logout(session: Session[Asking]) -> int:
    """Log out."""
    given = session.options
    url = credentials.find(given.url, given.data).url
    token = credentials.remembered(os.environ).get(url)
    if token is None:
        session.screen.note(f"There is no session at {url} to end.")
        return Exit.OK
    client = FleetClient(Credentials(url, token, "archipel fleet login"))
    try:
        client.call("POST", "/logout")
    except Stop as stop:
        # Forgotten here in any case; a session that ended by itself is no reason to complain.
        if stop.code is not Exit.NOT_PERMITTED:
            session.screen.note(
                f"{stop}\n  The token is forgotten here; the session ends 12 hours after its last use."
            )
    finally:
        client.close()
    credentials.remember(url, None, os.environ)
    if session.screen.as_json:
        session.screen.data({"url": url})
    else:
        session.screen.line(f"Logged out at {url}.")
    return Exit.OK


def asked_for(question: str) -> str:
    """Return what somebody types; raise Stop where nobody can."""
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "there is nobody to ask for the name; give it as an argument")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def secret(question: str, *, from_stdin: bool) -> str:
    """Return a password, typed without being shown, or the first line of standard input; raise Stop."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "there is nobody to ask for the password; use --password-stdin")
    return getpass.getpass(question, stream=sys.stderr)
