"""Orders as people give them: place, cancel, sign as the second person, set a site's document. Called by API and pages.

Blocks (database, keys). Whoever calls says which account asks; what it may is decided here. Each thing done is written into
the fleet's journal.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archipel_contract.commands import Action, SignedDocument
from archipel_contract.link.envelope import Signature, frame_from, framed
from archipel_contract.names import new_command_id
from archipel_contract.site import Origin, SiteDocument
from archipel_contract.trust.keys import SigningFailed
from archipel_contract.trust.store import NotTrusted
from archipel_contract.trust_document import COMMAND
from archipel_contract.wire import WireError, from_data
from archipel_fleet.order_ports import OrderBook
from archipel_fleet.order_records import Addressee, Deed, DocumentRow, OrderRow, OrderState
from archipel_fleet.orders import rules, signing
from archipel_fleet.orders.bell import Bell
from archipel_fleet.orders.rules import OrderRefused
from archipel_fleet.ports import Clock, Keys
from archipel_fleet.records import Account, AccountRole

DOCUMENT_LIMIT = 64 << 10  # bytes of a site document
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody orders; `target` is a site or a node."""

    target: str
    action: Action
    arguments: Mapping[str, Any]
    hours: int | None = None


class Orders:
    """Everything people do with orders. Without keys nothing can be ordered, only read."""

    def __init__(
        self, book: OrderBook, keys: Keys | None, clock: Clock, entropy: Entropy, bell: Bell
    ) -> None:
        self._book = book
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._bell = bell

    def place(self, account: Account, wish: Wish) -> tuple[OrderRow, ...]:
        """Order something; return one order for each node it goes to. Raises OrderRefused."""
        keys = self._ready()
        rules.check_may(account, wish.action)
        arguments = rules.checked(wish.action, wish.arguments)
        lasts = rules.lifetime(wish.hours)
        nodes = rules.chosen(wish.action, self._book.addressees(account.scope, wish.target), wish.target)
        now = self._clock.now()
        made = []
        for node in nodes:
            order = OrderRow(
                id=new_command_id(self._entropy),
                node_id=node.node_id,
                node_name=node.name,
                site_id=node.site_id,
                customer=node.customer,
                action=wish.action,
                arguments=arguments,
                state=OrderState.QUEUED if rules.signatures(wish.action) == 1 else OrderState.WAITING,
                counter=self._book.next_counter(node.node_id),
                asked_by=account.name,
                issued=now,
                expires=now + lasts,
            )
            made.append(self._put(order, node, keys))
        self._bell.ring([one.node_id for one in made if one.state is OrderState.QUEUED])
        return tuple(made)

    def _put(self, order: OrderRow, node: Addressee, keys: Keys) -> OrderRow:
        try:
            frame = signing.signed(signing.command_of(order), order.issued, keys.signer)
        except SigningFailed as error:
            raise OrderRefused(
                "order-not-signed", f"the controller's key cannot sign now: {error}"
            ) from error
        self._book.add_order(order, frame)
        self._did(order.asked_by, "order", order, order.issued)
        return order

    def cancel(self, account: Account, order_id: str) -> OrderRow:
        """Cancel an order; raise OrderRefused (order-unknown, order-not-permitted, order-over)."""
        order = self._known(account, order_id)
        rules.check_may(account, order.action)
        now = self._clock.now()
        if not self._book.cancel_order(order_id, now):
            raise OrderRefused(
                "order-over", f"{order_id} is {self._known(account, order_id).state}; it is too late"
            )
        self._did(account.name, "order-cancel", order, now)
        return self._known(account, order_id)

    # --- the second signature ----------------------------------------------------------------------------------------

    def to_sign(self, account: Account, order_id: str) -> bytes:
        """Return the exact bytes that a second person has to sign: with a counter that nothing has passed yet."""
        keys, order = self._ready(), self._known(account, order_id)
        self._check_second(account, order)
        frame = self._book.order_frame(order_id)
        if self._book.overtaken(order):
            order = replace(order, counter=self._book.next_counter(order.node_id))
            frame = signing.with_counter(frame, order.counter, self._clock.now(), keys.signer)
            if not self._book.sign_again(order, frame):
                raise OrderRefused("order-over", f"{order_id} is not waiting for a signature any more")
        return frame_from(frame).payload

    def sign(self, account: Account, order_id: str, signature: Signature, payload_digest: str) -> OrderRow:
        """Take the second signature, over the bytes with that SHA-256; raise OrderRefused."""
        keys, order = self._ready(), self._known(account, order_id)
        self._check_second(account, order)
        frame = self._book.order_frame(order_id)
        if hashlib.sha256(frame_from(frame).payload).hexdigest() != payload_digest or self._book.overtaken(
            order
        ):
            raise OrderRefused(
                "order-changed",
                "another order for this node came between",
                "Sign once more: archipel fleet order sign",
            )
        both = signing.countersigned(frame, signature)
        now = self._clock.now()
        needed = rules.signatures(order.action)
        try:
            keys.trust.require(both, f"{COMMAND}{order.action}", now, needed, order.site_id)
        except NotTrusted as error:
            raise OrderRefused(error.code, str(error), "See who may: archipel fleet keys show") from error
        ready = replace(order, state=OrderState.QUEUED, signed_by=account.name)
        if not self._book.sign_again(ready, framed(both)):
            raise OrderRefused("order-over", f"{order_id} is not waiting for a signature any more")
        self._did(account.name, "order-sign", order, now, key=signature.key_id)
        self._bell.ring([order.node_id])
        return self._known(account, order_id)

    @staticmethod
    def _check_second(account: Account, order: OrderRow) -> None:
        rules.check_may(account, order.action)
        if order.state is not OrderState.WAITING:
            raise OrderRefused("order-over", f"{order.id} is {order.state} and does not wait for a signature")
        if account.name == order.asked_by:
            raise OrderRefused(
                "order-same-person",
                f"{account.name} ordered it; the second signature is somebody else's to give",
            )

    # --- site documents ----------------------------------------------------------------------------------------------

    def set_document(self, account: Account, site_id: str, document: Mapping[str, Any]) -> DocumentRow:
        """Sign the next site document of a site; raise OrderRefused."""
        keys = self._ready()
        if account.role is AccountRole.VIEWER:
            raise OrderRefused("order-not-permitted", "a site document takes the role operator")
        if len(json.dumps(document)) > DOCUMENT_LIMIT:
            raise OrderRefused("order-unfit", f"a site document has at most {DOCUMENT_LIMIT} bytes")
        nodes = self._book.addressees(account.scope, site_id)
        if not nodes or nodes[0].site_id != site_id:
            raise OrderRefused(
                "order-nobody", f"there is no site {site_id!r}", "See them: archipel fleet sites"
            )
        now = self._clock.now()
        made = DocumentRow(
            site_id=site_id,
            generation=self._book.next_generation(site_id),
            asked_by=account.name,
            issued=now,
        )
        said = _document(document, site_id, made.generation)
        body = SignedDocument(site_id=site_id, generation=made.generation, document=said, issued=now)
        try:
            frame = signing.signed(body, now, keys.signer)
        except SigningFailed as error:
            raise OrderRefused(
                "order-not-signed", f"the controller's key cannot sign now: {error}"
            ) from error
        if not self._book.add_document(made, frame):
            raise OrderRefused(
                "order-changed", "another document of this site came between", "Set it once more"
            )
        self._book.record(
            Deed(
                actor=f"fleet:{account.name}",
                action="site-document",
                params={"generation": str(made.generation)},
                customer=nodes[0].customer,
                site_id=site_id,
            ),
            now,
        )
        self._bell.ring([one.node_id for one in nodes])
        return made

    # --- common ------------------------------------------------------------------------------------------------------

    def _ready(self) -> Keys:
        if self._keys is None:
            raise OrderRefused(
                "order-no-keys",
                "this fleet has no keys, so nobody would heed its orders",
                "Make them: archipel fleet keys init",
            )
        return self._keys

    def _known(self, account: Account, order_id: str) -> OrderRow:
        found = self._book.order(account.scope, order_id)
        if found is None:
            raise OrderRefused(
                "order-unknown", f"there is no order {order_id!r}", "See them: archipel fleet orders"
            )
        return found

    def _did(self, name: str, action: str, order: OrderRow, now: int, **more: str) -> None:
        said = {f"{key}": _shown(value) for key, value in order.arguments.items()}
        deed = Deed(
            actor=f"fleet:{name}",
            action=action,
            detail=f"{order.action}",
            params={"order": order.id, **said, **more},
            customer=order.customer,
            site_id=order.site_id,
            node_id=order.node_id,
        )
        self._book.record(deed, now)


def _document(given: Mapping[str, Any], site_id: str, generation: int) -> dict[str, Any]:
    """Return a site document as it is signed: of this site and generation, from the fleet; raise OrderRefused."""
    if given.get("site_id", site_id) != site_id:
        raise OrderRefused(
            "order-unfit", f"this is the document of another site: {str(given['site_id'])[:40]}"
        )
    said = {**given, "site_id": site_id, "generation": generation, "origin": str(Origin.FLEET)}
    try:
        from_data(SiteDocument, said)
    except WireError as error:
        raise OrderRefused("order-unfit", f"this is no site document: {error}") from error
    return said


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def signature_from(key_id: str, value: str) -> Signature:
    """Return a signature whose value is base64; raise OrderRefused (order-unfit)."""
    try:
        return Signature(key_id, base64.b64decode(value, validate=True))
    except ValueError as error:
        raise OrderRefused("order-unfit", f"the signature is not base64: {error}") from error
