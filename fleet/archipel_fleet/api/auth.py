"""Who asks: by the session's cookie or the `Authorization: Bearer` header. For the API's routes and the pages alike.

The gate (`gate.py`) has looked the session up before a route runs; here its result is read. What a form needs against
forgery is here too. No passwords, no database.
"""

import hmac
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.responses import Response

from archipel_fleet.accounts import sessions
from archipel_fleet.api.context import Context
from archipel_fleet.api.problems import Refusal, not_logged_in, not_permitted
from archipel_fleet.records import Account, AccountRole

COOKIE = "archipel_session"
FORM_FIELD = "form_token"
FORM_HEADER = "X-Form-Token"
LOGIN_PAGE = "/login"
# What answers without a login: the login itself, its assets, and whether the controller lives.
PUBLIC = frozenset({"/healthz", LOGIN_PAGE, "/api/v1/login"})
PUBLIC_BELOW = "/static/"

# Keys of the ASGI scope, written by the gate.
ACCOUNT_KEY = "archipel.account"
TOKEN_KEY = "archipel.token"


def context_of(request: Request) -> Context:
    """Return the controller this application belongs to."""
    context = request.app.state.context
    assert isinstance(context, Context)  # create_app puts it there
    return context


def current_account(request: Request) -> Account | None:
    """Return who is logged in, or None; the gate lets requests without a login through to public pages only."""
    account = request.scope.get(ACCOUNT_KEY)
    return account if isinstance(account, Account) else None


def current_token(request: Request) -> str:
    """Return the token of the session, empty if there is none."""
    return str(request.scope.get(TOKEN_KEY, ""))


def account(request: Request) -> Account:
    """Return who is logged in; raise Refusal (401) if nobody is."""
    found = current_account(request)
    if found is None:
        raise not_logged_in()
    return found


def admin(request: Request) -> Account:
    """Return the admin who asks; raise Refusal for anybody else."""
    found = account(request)
    if found.role is not AccountRole.ADMIN or found.customer is not None:
        raise not_permitted("admin")
    return found


def operator_of_all(request: Request) -> Account:
    """Return who may move sites between customers: admins, and operators who see all customers."""
    found = account(request)
    if found.role is AccountRole.VIEWER or found.customer is not None:
        raise not_permitted("operator, for all customers")
    return found


def operator(request: Request) -> Account:
    """Return who may change what is in its scope: admins and operators; raise Refusal for anybody else."""
    found = account(request)
    if found.role is AccountRole.VIEWER:
        raise not_permitted("operator")
    return found


Asking = Annotated[Account, Depends(account)]
Operator = Annotated[Account, Depends(operator)]
Admin = Annotated[Account, Depends(admin)]
OperatorOfAll = Annotated[Account, Depends(operator_of_all)]
Here = Annotated[Context, Depends(context_of)]


def form_token(request: Request) -> str:
    """Return what a form of this session carries in its field `form_token` (or a script in the header X-Form-Token)."""
    token = current_token(request)
    return sessions.form_token(token) if token else ""


async def genuine_form(request: Request) -> None:
    """Raise Refusal (403) unless the form or header carries this session's form token. A dependency of every form's route.

    The gate has already refused requests that another origin's page sent; this is the second lock.
    """
    given = request.headers.get(FORM_HEADER) or str((await request.form()).get(FORM_FIELD, ""))
    wanted = form_token(request)
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise Refusal(
            403,
            "form-not-genuine",
            "This form was not made by this session.",
            "Load the page again and repeat.",
        )


def put_cookie(response: Response, token: str, *, secure: bool) -> None:
    """Have the browser keep the session's token; it ends with the browser or by the store, whichever is first."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/", secure=secure)


def drop_cookie(response: Response) -> None:
    """Have the browser forget the session."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")


def login_address(target: str) -> str:
    """Return the login page's address that leads on to `target`."""
    return f"{LOGIN_PAGE}?next={quote(inward(target), safe='')}"


def inward(target: str) -> str:
    """Return `target` if it is a path of this server, else `/`: a login must not lead to a foreign page."""
    fine = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if fine and "\\" not in target else "/"


def address_of(request: Request) -> str:
    """Return the address of the client, for the limit on attempts."""
    return request.client.host if request.client else "unknown"
