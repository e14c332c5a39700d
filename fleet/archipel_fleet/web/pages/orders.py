"""Remote hands: the form of a site's page, one order with what came of it, its file. Added by `routes.mount`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from archipel_contract.commands import Action
from archipel_fleet.api import auth
from archipel_fleet.api.auth import Asking, Here
from archipel_fleet.api.problems import not_found
from archipel_fleet.api.routes.orders import download, refused
from archipel_fleet.orders.rules import OrderRefused
from archipel_fleet.orders.service import Wish
from archipel_fleet.records import AccountRole
from archipel_fleet.web.pages.reading import address_of
from archipel_fleet.web.rendering import Around, show, words_of
from archipel_fleet.web.views import orders

STREAM = "/live"
Text = Annotated[str, Form(max_length=1000)]
router = APIRouter()
genuine = [Depends(auth.genuine_form)]
ACTIONS = {one.value: one for one in Action}


@router.post("/sites/{site_id}/orders", dependencies=genuine)
def place(
    site_id: str,
    request: Request,
    here: Here,
    asking: Asking,
    action: Text = "",
    node: Text = "",
    words: Text = "",
) -> Response:
    """Order something of one node of a site, or of all of them."""
    known = here.store.site(asking.scope, site_id, here.clock.now())
    if known is None:
        raise not_found("site", site_id)
    mine = {one.node_id for one in known.nodes}
    if node and node not in mine:
        raise not_found("node", node)
    wanted = ACTIONS.get(action, Action.UNKNOWN)
    arguments = {"arguments": words.split()} if wanted is Action.KUBECTL else {}
    try:
        wish = Wish(target=node or known.site.site_id, action=wanted, arguments=arguments)
        made = here.orders.place(asking, wish)
    except OrderRefused as error:
        raise refused(error) from error
    here.live.publish(frozenset({known.site.site_id}))
    target = f"/orders/{made[0].id}" if len(made) == 1 else f"/sites/{known.site.site_id}#hands"
    return RedirectResponse(target, status_code=303)


@router.get("/orders/{order_id}")
def one(order_id: str, request: Request, here: Here, asking: Asking) -> Response:
    """Show one order."""
    now = here.clock.now()
    row = here.store.book.order(asking.scope, order_id)
    if row is None:
        raise not_found("order", order_id)
    may = asking.role is not AccountRole.VIEWER
    result = here.store.book.order_result(asking.scope, order_id) if may and row.size else None
    words = words_of(request)
    view = orders.page(words, row, result, now)
    around = Around(
        key="sites",
        title=f"{view.line.what} – {view.line.node}",
        live_part=address_of(request),
        stream=f"{STREAM}?site={row.site_id}",
    )
    return show(request, "order.html", around, view=view, may=may)


@router.get("/orders/{order_id}/file")
def file(order_id: str, here: Here, asking: Asking) -> Response:
    """Send what came of an order as a file."""
    return download(order_id, here, asking)


@router.post("/orders/{order_id}/cancel", dependencies=genuine)
def cancel(order_id: str, here: Here, asking: Asking) -> Response:
    """Cancel an order."""
    try:
        row = here.orders.cancel(asking, order_id)
    except OrderRefused as error:
        raise refused(error) from error
    here.live.publish(frozenset({row.site_id}))
    return RedirectResponse(f"/orders/{row.id}", status_code=303)
