"""`archipel fleet accounts` and `customers`: who may log in, and whose sites are whose."""

import secrets
from dataclasses import dataclass
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.accounts.passwords import made_up
from archipel_fleet.cli import complete
from archipel_fleet.cli.client import read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.session import secret
from archipel_fleet.cli.sites import quoted
from archipel_fleet.records import Account, AccountRole, SiteRow

LIST = """\
List the accounts. `local` stands for whoever may read the controller's data directory.

Examples:

  archipel fleet accounts list
"""
ADD = """\
Add an account. Without --password-stdin a password is made up and shown once.

An admin sees and does everything; an operator everything but accounts; a viewer reads. With --customer an operator or viewer
sees that customer's sites and nothing else.

Examples:

  archipel fleet accounts add nora --role operator --customer north

  archipel fleet accounts add anna --role admin --password-stdin < password.txt
"""
PASSWORD = """\
Give an account a new password; its sessions end. Without --password-stdin one is made up and shown once.

Examples:

  archipel fleet accounts password nora

  archipel fleet accounts password admin --password-stdin < password.txt
"""
REMOVE = """\
Remove an account; its sessions end.

Examples:

  archipel fleet accounts remove nora
"""
CUSTOMERS = """\
List the customers.

Examples:

  archipel fleet customers list
"""
CUSTOMER = """\
Add a customer, to whom sites and accounts can then be given.

Examples:

  archipel fleet customers add north
"""
ASSIGN = """\
Give a site to a customer. From then on that customer's accounts see it, and no other customer's.

Examples:

  archipel fleet customers assign berlin north
"""

PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input instead of making one up."),
]
KnownAccount = Annotated[
    str, typer.Argument(metavar="NAME", help="The account.", autocompletion=complete.accounts)
]


@dataclass(frozen=True, kw_only=True)
class AddOptions(Asking):
    """Options of `accounts add`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="The new account.")]
    role: Annotated[AccountRole, typer.Option("--role", help="What it may do.")] = AccountRole.VIEWER
    customer: Annotated[
        str,
        typer.Option(
            "--customer", help="Whose sites it sees (default: all).", autocompletion=complete.customers
        ),
    ] = ""
    password_stdin: PasswordStdin = False


@dataclass(frozen=True, kw_only=True)
class PasswordOptions(Asking):
    """Options of `accounts password`."""

    name: KnownAccount
    password_stdin: PasswordStdin = False


@dataclass(frozen=True, kw_only=True)
class RemoveOptions(Asking):
    """Options of `accounts remove`."""

    name: KnownAccount


@dataclass(frozen=True, kw_only=True)
class CustomerOptions(Asking):
    """Options of `customers add`."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="The new customer.")]


@dataclass(frozen=True, kw_only=True)
class AssignOptions(Asking):
    """Options of `customers assign`."""

    site: Annotated[
        str, typer.Argument(metavar="SITE", help="The site's name or id.", autocompletion=complete.sites)
    ]
    customer: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="Whose it becomes.", autocompletion=complete.customers)
    ]


def register(app: typer.Typer) -> None:
    """Add both groups of commands."""
    accounts = typer.Typer(help="Who may log in.", no_args_is_help=True, rich_markup_mode=None)
    add(accounts, "list", Asking, list_accounts, LIST)
    add(accounts, "add", AddOptions, add_account, ADD)
    add(accounts, "password", PasswordOptions, new_password, PASSWORD)
    add(accounts, "remove", RemoveOptions, remove_account, REMOVE)
    app.add_typer(accounts, name="accounts")
    customers = typer.Typer(help="Whose sites are whose.", no_args_is_help=True, rich_markup_mode=None)
    add(customers, "list", Asking, list_customers, CUSTOMERS)
    add(customers, "add", CustomerOptions, add_customer, CUSTOMER)
    add(customers, "assign", AssignOptions, assign, ASSIGN)
    app.add_typer(customers, name="customers")


def list_accounts(session: Session[Asking]) -> int:
    """List accounts."""
    screen, words = session.screen, session.screen.words
    raw = session.client.get("/accounts")
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    rows = [read(Account, one) for one in raw]
    screen.table(
        [words("column.name"), words("account.role"), words("account.sees"), ""],
        [((), _cells(session, one)) for one in rows],
    )
    return Exit.OK


def _cells(session: Session[Asking], one: Account) -> tuple[str, ...]:
    words = session.screen.words
    sees = one.customer if one.customer is not None else words("account.sees-all")
    return (one.name, words(f"account.{one.role}"), sees, words("account.disabled") if one.disabled else "")


def add_account(session: Session[AddOptions]) -> int:
    """Add an account."""
    given = session.options
    password, shown = _password(given.password_stdin)
    wanted = {"role": str(given.role), "customer": given.customer or None, "password": password}
    made = read(Account, session.client.call("PUT", f"/accounts/{quoted(given.name)}", json=wanted))
    return _answer(session, made.name, shown, f"{made.name} may log in as {made.role}.")


def new_password(session: Session[PasswordOptions]) -> int:
    """Give an account a new password."""
    given = session.options
    password, shown = _password(given.password_stdin)
    session.client.call("POST", f"/accounts/{quoted(given.name)}/password", json={"password": password})
    return _answer(session, given.name, shown, f"{given.name} has a new password; its sessions have ended.")


def _password(from_stdin: bool) -> tuple[str, str]:
    """Return the password, and what of it is to be shown."""
    if from_stdin:
        return secret("", from_stdin=True), ""
    made = made_up(secrets.token_bytes)
    return made, made


def _answer(session: Session[AddOptions] | Session[PasswordOptions], name: str, shown: str, said: str) -> int:
    screen = session.screen
    if screen.as_json:
        screen.data({"name": name, "password": shown or None})
        return Exit.OK
    screen.note(said)
    if shown:
        screen.note("Its password, shown only now:")
        screen.line(shown)
    return Exit.OK


def remove_account(session: Session[RemoveOptions]) -> int:
    """Remove an account."""
    name = session.options.name
    session.client.call("DELETE", f"/accounts/{quoted(name)}")
    return _done(session, {"name": name}, f"{name} is removed; its sessions have ended.")


def list_customers(session: Session[Asking]) -> int:
    """List customers."""
    names = session.client.get("/customers")
    if session.screen.as_json:
        session.screen.data(names)
    else:
        for name in names:
            session.screen.line(str(name))
    return Exit.OK


def add_customer(session: Session[CustomerOptions]) -> int:
    """Add a customer."""
    name = session.options.name
    session.client.call("POST", "/customers", json={"name": name})
    return _done(session, {"name": name}, f"The customer {name} is there now.")


def assign(session: Session[AssignOptions]) -> int:
    """Give a site to a customer."""
    given = session.options
    answer = session.client.call(
        "PUT", f"/sites/{quoted(given.site)}/customer", json={"customer": given.customer}
    )
    row = read(SiteRow, answer)
    return _done(session, answer, f"{row.name} belongs to {row.customer} now.")


def _done(
    session: Session[RemoveOptions] | Session[CustomerOptions] | Session[AssignOptions],
    data: object,
    said: str,
) -> int:
    if session.screen.as_json:
        session.screen.data(data)
    else:
        session.screen.line(said)
    return Exit.OK
