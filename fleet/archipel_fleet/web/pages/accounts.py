"""Accounts, for administrators: who there is, add, set a password, remove. Added by `routes.mount`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from archipel_contract.catalogue.web import Words
from archipel_fleet.accounts.passwords import MAXIMUM_BYTES, MINIMUM_CHARACTERS
from archipel_fleet.accounts.service import LOCAL, NAME, AccountInvalid, PasswordUnfit
from archipel_fleet.api import auth
from archipel_fleet.api.auth import Admin, Here
from archipel_fleet.api.context import Context
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.web.rendering import Around, show, words_of

PATH = "/accounts"
DONE = ("added", "removed", "changed")
Text = Annotated[str, Form(max_length=1000)]


class FormRefused(Exception):
    """The form cannot be taken; the message is the sentence for the reader, `status` the answer's."""

    def __init__(self, sentence: str, status: int = 422) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What somebody typed, to be shown again; never a password."""

    name: str = ""
    role: str = AccountRole.VIEWER
    customer: str = ""


router = APIRouter()
genuine = [Depends(auth.genuine_form)]


def _shown(
    request: Request,
    here: Context,
    given: Given = Given(),
    said: str = "",
    done: str = "",
    status: int = 200,
) -> Response:
    words = words_of(request)
    return show(
        request,
        "accounts.html",
        Around(key="accounts", title=words("account.title"), path=PATH),
        status=status,
        accounts=[one for one in here.accounts.all() if one.name != LOCAL],
        customers=here.store.customers(),
        roles=tuple(AccountRole),
        shortest=MINIMUM_CHARACTERS,
        given=given,
        said=said,
        done=done,
    )


@router.get(PATH)
def accounts(request: Request, here: Here, admin: Admin) -> Response:
    """Show who there is, and what was just done."""
    what, name = (request.query_params.get(one, "") for one in ("done", "name"))
    known = what in DONE and NAME.fullmatch(name)
    return _shown(request, here, done=words_of(request)(f"account.{what}", name=name) if known else "")


@router.post(PATH, dependencies=genuine)
def add(
    request: Request,
    here: Here,
    admin: Admin,
    name: Text = "",
    password: Text = "",
    role: Text = "",
    customer: Text = "",
) -> Response:
    """Add an account."""
    words, given = words_of(request), Given(name=name.strip(), role=role, customer=customer)
    try:
        account = _checked(words, here, given, password)
        put(words, here, account, password, admin.name)
    except FormRefused as error:
        return _shown(request, here, given, said=str(error), status=error.status)
    return _done("added", account.name)


@router.post(f"{PATH}/password", dependencies=genuine)
def set_password(
    request: Request, here: Here, admin: Admin, name: Text = "", password: Text = ""
) -> Response:
    """Set somebody's password; their sessions end."""
    words = words_of(request)
    try:
        _check_password(words, password)
        put(words, here, _existing(words, here, name), password, admin.name)
    except FormRefused as error:
        return _shown(request, here, said=str(error), status=error.status)
    return _done("changed", name)


@router.post(f"{PATH}/remove", dependencies=genuine)
def remove(request: Request, here: Here, admin: Admin, name: Text = "") -> Response:
    """Remove an account; its sessions end."""
    words = words_of(request)
    try:
        if name == admin.name:
            raise FormRefused(words("account.not-yourself"))
        here.accounts.remove(_existing(words, here, name).name, by=admin.name)
    except FormRefused as error:
        return _shown(request, here, said=str(error), status=error.status)
    except AccountInvalid:
        return _shown(request, here, said=words("account.last-admin"), status=422)
    return _done("removed", name)


def put(words: Words, here: Context, account: Account, password: str, by: str) -> None:
    """Make or change an account; raise FormRefused."""
    try:
        here.accounts.put(account, password, by=by)
    except PasswordUnfit as error:
        raise FormRefused(words("account.bad-password-name")) from error
    except AccountInvalid as error:
        raise FormRefused(words("account.refused")) from error


def _checked(words: Words, here: Context, given: Given, password: str) -> Account:
    if not NAME.fullmatch(given.name) or given.name == LOCAL:
        raise FormRefused(words("account.bad-name"))
    if given.name in {one.name for one in here.accounts.all()}:
        raise FormRefused(words("account.exists", name=given.name), status=409)
    try:
        role = AccountRole(given.role)
    except ValueError:
        raise FormRefused(words("account.bad-role")) from None
    if given.customer and given.customer not in here.store.customers():
        raise FormRefused(words("account.bad-customer"))
    if role is AccountRole.ADMIN and given.customer:
        raise FormRefused(words("account.bad-admin"))
    _check_password(words, password)
    return Account(name=given.name, role=role, customer=given.customer or None)


def _check_password(words: Words, password: str) -> None:
    if len(password) < MINIMUM_CHARACTERS or len(password.encode("utf-8", "replace")) > MAXIMUM_BYTES:
        raise FormRefused(words("account.bad-password", count=MINIMUM_CHARACTERS, most=MAXIMUM_BYTES))


def _existing(words: Words, here: Context, name: str) -> Account:
    for one in here.accounts.all():
        if one.name == name and name != LOCAL:
            return one
    raise FormRefused(words("account.gone", name=name[:63]), status=404)


def _done(what: str, name: str) -> Response:
    # After a form the browser is led to a page it may load again without repeating the deed.
    return RedirectResponse(f"{PATH}?done={what}&name={name}", status_code=303)
