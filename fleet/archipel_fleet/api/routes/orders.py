"""Orders to nodes, and site documents: give, see, cancel, sign as the second person, fetch what came of it."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, status
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from archipel_contract.commands import Action
from archipel_fleet.api.auth import Asking, Here
from archipel_fleet.api.problems import Refusal, not_found, not_permitted
from archipel_fleet.api.routes.shapes import LATEST, PRINTABLE, Name, SiteName, Text, refusals
from archipel_fleet.order_records import DocumentRow, OrderRow
from archipel_fleet.orders.rules import HOUR, LONGEST, OrderRefused
from archipel_fleet.orders.service import Wish, signature_from
from archipel_fleet.records import AccountRole

router = APIRouter(tags=["orders"])

OrderId = Annotated[
    str, Path(description="The id of an order.", min_length=1, max_length=100, pattern=PRINTABLE)
]
SHOWN_AS = {"text/plain": "txt", "application/json": "json", "application/gzip": "tar.gz"}
_STATUS = {
    "order-not-permitted": 403,
    "order-same-person": 403,
    "order-unknown": 404,
    "order-nobody": 404,
    "order-unfit": 422,
    "order-names-no-node": 422,
}


class NewOrder(BaseModel):
    """Something to be done on a node, or on the nodes of a site."""

    model_config = ConfigDict(extra="forbid")
    target: Name = Field(description="A site's name or id, or a node's.")
    action: Action
    arguments: dict[str, Any] = Field(
        {}, max_length=8, description="logs: source, lines. kubectl: arguments."
    )
    hours: int | None = Field(
        None, ge=1, le=LONGEST // HOUR, description="How long it waits for its node; 7 days."
    )


class ToSign(BaseModel):
    """What a second person signs."""

    payload: str
    """The exact bytes, in base64."""


class SecondSignature(BaseModel):
    """A second person's signature."""

    model_config = ConfigDict(extra="forbid")
    key_id: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9-]+$")]
    signature: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the bytes that were signed."""


class NewDocument(BaseModel):
    """What a site should be; generation and origin are set by the fleet."""

    model_config = ConfigDict(extra="forbid")
    document: dict[str, Any]


def refused(error: OrderRefused) -> Refusal:
    """Return the answer to an order that is not taken."""
    text = str(error)
    return Refusal(_STATUS.get(error.code, 409), error.code, f"{text[:1].upper()}{text[1:]}.", error.remedy)


@router.get("/orders", responses=refusals(404), summary="Orders")
def orders(
    here: Here,
    asking: Asking,
    site: Annotated[Text, Query(description="Only orders to nodes of this site, by name or id.")] = "",
    node_id: Annotated[Text, Query(description="Only orders to this node.")] = "",
    before: Annotated[
        int | None, Query(ge=0, le=LATEST, description="Only what was ordered earlier.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> tuple[OrderRow, ...]:
    """Return orders, the newest first."""
    site_id = ""
    if site:
        found = here.store.site(asking.scope, site, here.clock.now())
        if found is None:
            raise not_found("site", site)
        site_id = found.site.site_id
    return here.store.book.orders(asking.scope, site_id, node_id, before, limit)


@router.post(
    "/orders",
    responses=refusals(403, 404, 409),
    status_code=status.HTTP_201_CREATED,
    summary="Order something",
)
def place(given: NewOrder, here: Here, asking: Asking) -> tuple[OrderRow, ...]:
    """Order something; returns one order for each node. A node that is silent does it at its next contact."""
    wish = Wish(target=given.target, action=given.action, arguments=given.arguments, hours=given.hours)
    try:
        made = here.orders.place(asking, wish)
    except OrderRefused as error:
        raise refused(error) from error
    here.live.publish(frozenset(one.site_id for one in made))
    return made


def _order(order_id: str, here: Here, asking: Asking) -> OrderRow:
    found = here.store.book.order(asking.scope, order_id)
    if found is None:
        raise not_found("order", order_id)
    return found


@router.get("/orders/{order_id}", responses=refusals(404), summary="One order")
def order(order_id: OrderId, here: Here, asking: Asking) -> OrderRow:
    """Return one order and how far it has come."""
    return _order(order_id, here, asking)


@router.get(
    "/orders/{order_id}/result",
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "What came of it, byte for byte."},
        **refusals(403, 404),
    },
    response_class=Response,
    summary="What came of an order",
)
def result(order_id: OrderId, here: Here, asking: Asking) -> Response:
    """Return the result as a file. Takes the role operator: logs and bundles say more of a site than its page."""
    return download(order_id, here, asking)


def download(order_id: str, here: Here, asking: Asking) -> Response:
    """Return the answer that is a result as a file, never shown by a browser as a page of ours."""
    if asking.role is AccountRole.VIEWER:
        raise not_permitted("operator")
    found = here.store.book.order_result(asking.scope, order_id)
    if found is None:
        raise not_found("result of the order", order_id)
    ending = SHOWN_AS.get(found.media, "bin")
    headers = {"Content-Disposition": f'attachment; filename="{_plain(order_id)}.{ending}"'}
    return Response(found.data, media_type="application/octet-stream", headers=headers)


def _plain(order_id: str) -> str:
    return "".join(one for one in order_id if one.isascii() and (one.isalnum() or one == "-"))


@router.post("/orders/{order_id}/cancel", responses=refusals(403, 404, 409), summary="Cancel an order")
def cancel(order_id: OrderId, here: Here, asking: Asking) -> OrderRow:
    """Cancel an order. One that was sent may be done all the same; it is not sent again."""
    try:
        done = here.orders.cancel(asking, order_id)
    except OrderRefused as error:
        raise refused(error) from error
    here.live.publish(frozenset({done.site_id}))
    return done


@router.post(
    "/orders/{order_id}/to-sign", responses=refusals(403, 404, 409), summary="What a second person signs"
)
def to_sign(order_id: OrderId, here: Here, asking: Asking) -> ToSign:
    """Return the bytes of an order that waits for its second signature."""
    try:
        payload = here.orders.to_sign(asking, order_id)
    except OrderRefused as error:
        raise refused(error) from error
    return ToSign(payload=base64.b64encode(payload).decode())


@router.post("/orders/{order_id}/signature", responses=refusals(403, 404, 409), summary="Sign an order")
def sign(order_id: OrderId, given: SecondSignature, here: Here, asking: Asking) -> OrderRow:
    """Give the second signature; it is another account's, with another key, than those that ordered it."""
    try:
        signature = signature_from(given.key_id, given.signature)
        done = here.orders.sign(asking, order_id, signature, given.digest)
    except OrderRefused as error:
        raise refused(error) from error
    here.live.publish(frozenset({done.site_id}))
    return done


@router.get("/sites/{site}/documents", responses=refusals(404), summary="The site documents of a site")
def documents(site: SiteName, here: Here, asking: Asking) -> tuple[DocumentRow, ...]:
    """Return which site documents the fleet has signed for a site, the newest first."""
    return here.store.book.documents(asking.scope, _site_id(site, here, asking))


@router.put("/sites/{site}/document", responses=refusals(403, 404, 409), summary="Say what a site should be")
def set_document(site: SiteName, given: NewDocument, here: Here, asking: Asking) -> DocumentRow:
    """Sign the next site document; the site's nodes get it at their next contact."""
    try:
        return here.orders.set_document(asking, _site_id(site, here, asking), given.document)
    except OrderRefused as error:
        raise refused(error) from error


def _site_id(site: str, here: Here, asking: Asking) -> str:
    found = here.store.site(asking.scope, site, here.clock.now())
    if found is None:
        raise not_found("site", site)
    return found.site.site_id
