"""Logging in and out, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Body, Request, status
from pydantic import BaseModel, ConfigDict, StringConstraints

from archipel_contract import __version__
from archipel_fleet.accounts.service import LoginRefused, PasswordUnfit, TooManyAttempts
from archipel_fleet.api.auth import Asking, Here, address_of, current_token
from archipel_fleet.api.problems import Refusal
from archipel_fleet.api.routes.shapes import refusals
from archipel_fleet.records import Account, AccountRole

router = APIRouter(tags=["session"])

Secret = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Credentials(BaseModel):
    """Who wants to come in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    password: Secret


class NewSession(BaseModel):
    """A session; send `token` as `Authorization: Bearer`."""

    token: str
    until: int
    """When it ends if it is not used: milliseconds since 1970 UTC."""
    name: str
    role: AccountRole
    customer: str | None


class Me(BaseModel):
    """The account that asks."""

    name: str
    role: AccountRole
    customer: str | None
    version: str
    """Of the controller."""


class PasswordChange(BaseModel):
    """One's own new password."""

    model_config = ConfigDict(extra="forbid")
    old: Secret
    new: Secret


def refused(error: Exception) -> Refusal:
    """Return the answer to a login that failed."""
    if isinstance(error, TooManyAttempts):
        refusal = Refusal(
            429, "too-many-attempts", f"Too many attempts: {error}.", "Wait, then try once more."
        )
        refusal.headers["Retry-After"] = str(int(error.wait) + 1)
        return refusal
    return Refusal(
        401,
        "login-refused",
        "Name and password do not belong together.",
        "Try again, or ask an admin for a new password.",
    )


@router.post("/login", responses=refusals(429), summary="Log in", openapi_extra={"security": []})
def login(given: Credentials, here: Here, request: Request) -> NewSession:
    """Open a session by name and password. It ends 12 hours after its last use, and after 7 days in any case."""
    try:
        made = here.accounts.login(given.name, given.password, address_of(request))
    except (LoginRefused, TooManyAttempts) as error:
        raise refused(error) from error
    who: Account = made.account
    return NewSession(token=made.token, until=made.until, name=who.name, role=who.role, customer=who.customer)


@router.post("/logout", responses=refusals(), status_code=status.HTTP_204_NO_CONTENT, summary="Log out")
def logout(here: Here, asking: Asking, request: Request) -> None:
    """End this session."""
    here.accounts.logout(current_token(request))


@router.get("/me", responses=refusals(), summary="Who am I")
def me(asking: Asking) -> Me:
    """Return the account that asks."""
    return Me(name=asking.name, role=asking.role, customer=asking.customer, version=__version__)


@router.post(
    "/me/password",
    responses=refusals(403, 429),
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Change one's own password",
)
def password(given: Annotated[PasswordChange, Body()], here: Here, asking: Asking, request: Request) -> None:
    """Change the password of the account that asks. All its sessions end, this one too."""
    try:
        here.accounts.change_password(asking.name, given.old, given.new, address_of(request))
    except LoginRefused as error:
        raise Refusal(403, "login-refused", "The old password is not right.", "Try again.") from error
    except TooManyAttempts as error:
        raise refused(error) from error
    except (PasswordUnfit, ValueError) as error:
        raise Refusal(422, "password-unfit", f"{error}.", "Choose another password.") from error
