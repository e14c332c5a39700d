"""Commands that change: accounts and customers."""

import io
import json
from collections.abc import Callable

import pytest

from archipel_contract.exits import Exit
from archipel_fleet.api.context import Context
from archipel_fleet.records import Account, AccountRole
from tests.fakes.fleet_context import PASSWORD
from tests.fleet.cli.conftest import Run


def account(context: Context, name: str) -> Account | None:
    return next((one for one in context.accounts.all() if one.name == name), None)


def test_an_account_is_added_with_a_password_that_is_shown_once_and_works(
    context: Context, anna: Run
) -> None:
    said = anna("accounts", "add", "zora", "--role", "operator", "--customer", "north")
    assert said.code == Exit.OK
    assert account(context, "zora") == Account(name="zora", role=AccountRole.OPERATOR, customer="north")
    assert context.accounts.login("zora", said.out.strip(), "x").account.name == "zora"
    assert said.out.strip() not in said.err


def test_a_password_can_come_from_standard_input(
    context: Context, anna: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("another fine word\n"))
    said = anna("accounts", "password", "nora", "--password-stdin")
    assert (said.code, said.out) == (Exit.OK, "")
    assert context.accounts.login("nora", "another fine word", "x").account.name == "nora"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "zora", "--role", "admin", "--customer", "north"), Exit.USAGE, "all customers"),
        (("add", "zora", "--customer", "west"), Exit.USAGE, "no customer 'west'"),
        (("add", "Zora"), Exit.USAGE, "small letters"),
        (("remove", "nobody"), Exit.NOT_OK, "no account 'nobody'"),
        (("remove", "anna"), Exit.REFUSED, "last admin"),
        (("password", "nobody"), Exit.NOT_OK, "no account 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    anna: Run, words: tuple[str, ...], code: Exit, said: str
) -> None:
    answer = anna("accounts", *words)
    assert answer.code == code
    assert said in answer.err


def test_accounts_are_listed_with_what_they_see(anna: Run) -> None:
    said = anna("accounts", "list").out
    assert "nora    Operator       north" in said
    assert "anna    Administrator  all customers" in said
    assert {one["name"] for one in json.loads(anna("accounts", "list", "--json").out)} == {
        "anna",
        "otto",
        "nora",
        "viktor",
    }


def test_an_account_is_removed(context: Context, anna: Run) -> None:
    assert anna("accounts", "remove", "viktor").code == Exit.OK
    assert account(context, "viktor") is None


def test_customers_are_added_and_sites_given_to_them(context: Context, anna: Run) -> None:
    assert anna("customers", "add", "west").code == Exit.OK
    assert anna("customers", "add", "west").code == Exit.REFUSED
    assert anna("customers", "list").out.split() == ["default", "north", "south", "west"]
    assert anna("customers", "assign", "celle", "west").out == "celle belongs to west now.\n"
    assert json.loads(anna("sites", "--customer", "west", "--json").out)["total"] == 1
    assert anna("customers", "assign", "celle", "nobody").code == Exit.NOT_OK


def test_who_is_no_admin_is_told_which_role_it_takes(as_account: Callable[[str], None], run: Run) -> None:
    as_account("nora")
    said = run("accounts", "list")
    assert said.code == Exit.NOT_PERMITTED
    assert "role admin" in said.err
    assert PASSWORD not in said.err
