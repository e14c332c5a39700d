"""Devices: who may connect, who waits for approval, tokens to enrol with. All within the scope of the account that asks.

Reading takes any account, approving and tokens an operator, revoking and decommissioning an admin.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, status
from pydantic import BaseModel, ConfigDict, Field

from archipel_fleet.api.auth import Admin, Asking, Here, Operator
from archipel_fleet.api.context import Context
from archipel_fleet.api.problems import Refusal, not_found
from archipel_fleet.api.routes.shapes import PRINTABLE, Name, Text, refusals
from archipel_fleet.device_ports import NameTaken
from archipel_fleet.device_records import (
    DeviceEvent,
    DeviceRow,
    DeviceState,
    TokenMade,
    TokenRow,
    TokenRule,
    TokenShown,
)
from archipel_fleet.enrolment.caring import LONGEST_HOURS, MOST_USES, Care, DeviceUnknown, NewToken, NotSo
from archipel_fleet.live import EVERY_SITE
from archipel_fleet.records import Account, Page

router = APIRouter(tags=["devices"])

PAGE_SIZE = 500  # the largest page

DeviceName = Annotated[
    str,
    Path(
        description="A node id, the device's name, or the claim code of a request.",
        min_length=1,
        max_length=100,
        pattern=PRINTABLE,
    ),
]


class DeviceFilter(BaseModel):
    """Which devices, from which page."""

    model_config = ConfigDict(extra="forbid")
    state: list[DeviceState] = Field(
        [], max_length=10, description="Only these states; all but refused requests by default."
    )
    text: Text = Field("", description="Part of name, host name, node id, site or code.")
    page: int = Field(1, ge=1, le=100_000, description="1 is the first page.")
    size: int = Field(50, ge=1, le=PAGE_SIZE, description="Devices on a page.")


class TokenWanted(BaseModel):
    """What a new token should allow."""

    model_config = ConfigDict(extra="forbid")
    uses: int = Field(1, ge=1, le=MOST_USES, description="How many devices may enrol with it.")
    hours: int = Field(24, ge=1, le=LONGEST_HOURS, description="For how long.")
    rule: TokenRule = Field(
        TokenRule.APPROVE, description="`approve` lets in at once, `hold` waits for a person."
    )
    site: Text = Field("", description="Name or id of the site it is for; empty: any.")
    customer: Text = Field("", description="Whose devices it makes; empty: those of the site's customer.")
    label: Text = Field("", description="What it is for, for people.")


class NewName(BaseModel):
    """Another name."""

    model_config = ConfigDict(extra="forbid")
    name: Name


def _care(here: Context) -> Care:
    if here.care is None:
        raise Refusal(
            409,
            "no-keys",
            "This controller has no keys, so it enrols no devices.",
            "Make them with: archipel fleet keys init",
        )
    return here.care


def _shown(row: TokenRow) -> TokenShown:
    values = asdict(row)
    del values["digest"]
    return TokenShown(**values)


def _done(here: Context, deed: Callable[[], DeviceRow], name: str) -> DeviceRow:
    try:
        row = deed()
    except DeviceUnknown:
        raise not_found("device", name) from None
    except NameTaken as error:
        raise Refusal(409, "name-taken", f"{error}.", "Choose another name.") from error
    except NotSo as error:
        remedy = "See what there is: archipel fleet devices"
        raise Refusal(409, error.code, f"{error}.", remedy) from error
    here.live.publish(EVERY_SITE)
    return row


@router.get("/devices", responses=refusals(), summary="Devices")
def devices(here: Here, asking: Asking, wanted: Annotated[DeviceFilter, Query()]) -> Page[DeviceRow]:
    """Return one page of devices: requests that wait first, then the registry by name."""
    return here.store.devices.rows(asking.scope, wanted.state, wanted.text, wanted.page, wanted.size)


@router.get("/devices/events", responses=refusals(), summary="What happened to devices")
def events(
    here: Here, asking: Asking, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> tuple[DeviceEvent, ...]:
    """Return who was approved, refused or revoked and by whom, newest first; repeated refusals are counted."""
    return here.store.devices.events(asking.scope, limit)


@router.get("/devices/tokens", responses=refusals(403), summary="Tokens")
def tokens(here: Here, asking: Operator) -> tuple[TokenShown, ...]:
    """Return the tokens, newest first."""
    return tuple(map(_shown, here.store.devices.tokens(asking.scope)))


@router.post(
    "/devices/tokens",
    responses=refusals(403, 404, 409),
    status_code=status.HTTP_201_CREATED,
    summary="Make a token",
)
def new_token(given: TokenWanted, here: Here, asking: Operator) -> TokenMade:
    """Make a token to enrol devices with. Its secret is in this answer and nowhere else."""
    care = _care(here)
    site_id = _site_id(here, asking, given.site)
    if given.customer and given.customer != asking.customer and asking.customer is not None:
        raise not_found("customer", given.customer)
    if given.customer and given.customer not in here.store.customers():
        raise not_found("customer", given.customer)
    wanted = NewToken(
        uses=given.uses, hours=given.hours, rule=given.rule, site_id=site_id, customer=given.customer,
        label=given.label,
    )  # fmt: skip
    row, invitation = care.new_token(asking, wanted)
    text = invitation.token.text if invitation.token else ""
    return TokenMade(shown=_shown(row), link=invitation.text, token=text)


def _site_id(here: Context, asking: Account, site: str) -> str:
    if not site:
        return ""
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    return found.site.site_id


@router.delete(
    "/devices/tokens/{token_id}",
    responses=refusals(403, 404, 409),
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Remove a token",
)
def remove_token(
    token_id: Annotated[
        str, Path(description="The token's id.", min_length=1, max_length=100, pattern=PRINTABLE)
    ],
    here: Here,
    asking: Operator,
) -> None:
    """Remove a token; devices that came in with it stay."""
    try:
        _care(here).remove_token(asking, token_id)
    except DeviceUnknown:
        raise not_found("token", token_id) from None


@router.get("/devices/{device}", responses=refusals(404), summary="One device")
def one_device(device: DeviceName, here: Here, asking: Asking) -> DeviceRow:
    """Return a device, or a request by its code."""
    registry = here.store.devices
    found = registry.row(asking.scope, device) or registry.request(asking.scope, device.lower())
    if found is None:
        raise not_found("device", device)
    return found


@router.post("/devices/{device}/approve", responses=refusals(403, 404, 409), summary="Approve a request")
def approve(device: DeviceName, here: Here, asking: Operator) -> DeviceRow:
    """Let a device in. A request without a token, and one with another key than the node had, by its code only."""
    return _done(here, lambda: _care(here).approve(asking, device), device)


@router.post("/devices/{device}/refuse", responses=refusals(403, 404, 409), summary="Refuse a request")
def refuse(device: DeviceName, here: Here, asking: Operator) -> DeviceRow:
    """Refuse a request, by node id or code. It can be approved later by its code."""
    return _done(here, lambda: _care(here).refuse(asking, device), device)


@router.post("/devices/{device}/rename", responses=refusals(403, 404, 409), summary="Rename a device")
def rename(device: DeviceName, given: NewName, here: Here, asking: Operator) -> DeviceRow:
    """Give a device another name, which no other device of the customer has."""
    return _done(here, lambda: _care(here).rename(asking, device, given.name), device)


@router.post("/devices/{device}/revoke", responses=refusals(403, 404, 409), summary="Revoke a device")
def revoke(device: DeviceName, here: Here, asking: Admin) -> DeviceRow:
    """Heed a device's key no more: its connection is cut, and it neither connects nor renews again."""
    return _done(here, lambda: _care(here).revoke(asking, device), device)


@router.post(
    "/devices/{device}/decommission", responses=refusals(403, 404, 409), summary="Decommission a device"
)
def decommission(device: DeviceName, here: Here, asking: Admin) -> DeviceRow:
    """Take a device out of service. It may enrol again with a new key and a new token."""
    return _done(here, lambda: _care(here).decommission(asking, device), device)
