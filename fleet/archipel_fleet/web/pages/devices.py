"""Devices: who waits for approval, who may connect and until when, what happened. Added by `routes.mount`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from archipel_fleet.api import auth
from archipel_fleet.api.auth import Admin, Asking, Here, Operator
from archipel_fleet.api.context import Context
from archipel_fleet.device_records import DeviceRow, DeviceState
from archipel_fleet.enrolment.caring import Care, DeviceUnknown, NotSo
from archipel_fleet.live import EVERY_SITE
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.web.pages.reading import address_of, refuse_bad_address
from archipel_fleet.web.pages.sites import STREAM
from archipel_fleet.web.rendering import Around, show, words_of
from archipel_fleet.web.views import devices, query
from archipel_fleet.web.views.paging import pager

PATH = "/devices"
DONE = ("approved", "refused", "revoked")
EVENTS = 20
WAITING_SHOWN = 100
REGISTERED = (DeviceState.ACTIVE, DeviceState.REVOKED, DeviceState.DECOMMISSIONED)
Name = Annotated[str, Form(max_length=100)]

router = APIRouter()
genuine = [Depends(auth.genuine_form)]


@router.get(PATH)
def all_devices(request: Request, here: Here, asking: Asking) -> Response:
    """Show who waits, a page of devices, and what was just done."""
    return _page(request, here, asking)


def _page(request: Request, here: Context, asking: Account, said: str = "", status: int = 200) -> Response:
    pairs = [one for one in request.query_params.multi_items() if one[0] not in ("done", "node")]
    with refuse_bad_address():
        asked = query.nodes(pairs)
    now, words, registry = here.clock.now(), words_of(request), here.store.devices
    page = registry.rows(asking.scope, REGISTERED, asked.text, asked.page, query.SIZE)
    waiting = registry.rows(asking.scope, (DeviceState.PENDING,), asked.text, 1, WAITING_SHOWN)
    around = Around(
        key="devices",
        title=words("device.title"),
        live_part="" if said else address_of(request),
        stream="" if said else STREAM,
        path=PATH if said else "",
    )
    return show(
        request,
        "devices.html",
        around,
        status=status,
        text=asked.text,
        total=words.count("device.count", page.total + waiting.total),
        waiting=[devices.line(words, one, now) for one in waiting.rows],
        copied=any(one.code == devices.COPIED for one in waiting.rows),
        lines=[devices.line(words, one, now) for one in page.rows],
        events=[devices.event(words, one, now) for one in registry.events(asking.scope, EVENTS)],
        pages=pager(words, page, lambda number: query.nodes_written(asked.text, number)),
        may_approve=here.care is not None and asking.role is not AccountRole.VIEWER,
        may_revoke=here.care is not None and asking.role is AccountRole.ADMIN,
        has_keys=here.care is not None,
        done=_done(request, here, asking),
        said=said,
    )


def _done(request: Request, here: Context, asking: Account) -> str:
    """Return what was just done, as far as the address names something that is there."""
    what, node = (request.query_params.get(one, "") for one in ("done", "node"))
    if what not in DONE or not node:
        return ""
    row = here.store.devices.row(asking.scope, node)
    return words_of(request)(f"device.{what}", name=row.name if row is not None else node[:20])


@router.post(f"{PATH}/approve", dependencies=genuine)
def approve(request: Request, here: Here, asking: Operator, claim: Name = "") -> Response:
    """Approve a request by its code."""
    return _deed(request, here, asking, "approved", lambda care: care.approve(asking, claim))


@router.post(f"{PATH}/refuse", dependencies=genuine)
def refuse(request: Request, here: Here, asking: Operator, claim: Name = "") -> Response:
    """Refuse a request by its code."""
    return _deed(request, here, asking, "refused", lambda care: care.refuse(asking, claim))


@router.post(f"{PATH}/revoke", dependencies=genuine)
def revoke(request: Request, here: Here, asking: Admin, node: Name = "") -> Response:
    """Revoke a device by its node id."""
    return _deed(request, here, asking, "revoked", lambda care: care.revoke(asking, node))


def _deed(
    request: Request, here: Context, asking: Account, done: str, deed: Callable[[Care], DeviceRow]
) -> Response:
    words = words_of(request)
    if here.care is None:
        return _page(request, here, asking, said=words("device.no-keys"), status=409)
    try:
        row = deed(here.care)
    except (DeviceUnknown, NotSo):
        return _page(request, here, asking, said=words("device.gone"), status=409)
    here.live.publish(EVERY_SITE)
    # After a form the browser is led to a page it may load again without repeating the deed.
    return RedirectResponse(f"{PATH}?done={done}&node={row.node_id}", status_code=303)
