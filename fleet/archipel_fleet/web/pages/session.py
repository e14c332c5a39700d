"""Logging in and out. Added by `routes.mount`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from archipel_fleet.accounts.service import LoginRefused, TooManyAttempts
from archipel_fleet.api import auth
from archipel_fleet.api.auth import Here
from archipel_fleet.web.rendering import Around, show, words_of
from archipel_fleet.web.views import ages

FIRST_PAGE = "/sites"


router = APIRouter()


def _form(request: Request, target: str, name: str = "", said: str = "", status: int = 200) -> Response:
    words = words_of(request)
    around = Around(key="", title=words("page.login"), path=auth.LOGIN_PAGE)
    shown = {"next": target, "name": name, "said": said}
    return show(request, "login.html", around, status=status, **shown)


@router.get(auth.LOGIN_PAGE)
def login_form(request: Request) -> Response:
    """Show the form, or lead on who is logged in already."""
    target = _target(request.query_params.get("next", ""))
    if auth.current_account(request) is not None:
        return RedirectResponse(target, status_code=303)
    return _form(request, target)


@router.post(auth.LOGIN_PAGE)
def login(
    request: Request,
    here: Here,
    name: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=512)] = "",
    next: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Open a session, or say why not. There is no session yet, so no form token; the gate looks at the origin."""
    words, target = words_of(request), _target(next)
    try:
        made = here.accounts.login(name.strip(), password, auth.address_of(request))
    except LoginRefused:
        return _form(request, target, name, words("login.refused"), status=401)
    except TooManyAttempts as error:
        wait = ages.length(words, int(error.wait + 1) * 1000)
        refused = _form(request, target, name, words("login.wait", age=wait), status=429)
        refused.headers["Retry-After"] = str(int(error.wait) + 1)
        return refused
    response = RedirectResponse(target, status_code=303)
    auth.put_cookie(response, made.token, secure=request.url.scheme == "https")
    return response


@router.post("/logout", dependencies=[Depends(auth.genuine_form)])
def logout(request: Request, here: Here) -> Response:
    """End the session."""
    here.accounts.logout(auth.current_token(request))
    response = RedirectResponse(auth.LOGIN_PAGE, status_code=303)
    auth.drop_cookie(response)
    return response


def _target(given: str) -> str:
    target = auth.inward(given)
    return FIRST_PAGE if target in ("/", auth.LOGIN_PAGE) else target
