"""The port of the registry of devices, which the store implements; one for ingest, enrolment, pages and broker alike.

All calls block and may be made from any thread; StoreFailed is raised as in `ports`. Calls for people are bound to a Scope:
what is another customer's answers like what does not exist.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from archipel_contract.trust.keys import PublicKey
from archipel_fleet.device_records import (
    CertificateRow,
    Decide,
    Decision,
    DeviceEvent,
    DeviceRow,
    DeviceState,
    Spoken,
    TokenRow,
    Wanted,
)
from archipel_fleet.records import Page, Scope


class NameTaken(ValueError):
    """Another device of the customer has that name."""


class DeviceKeys(Protocol):
    """What the link asks."""

    def keys(self, node_id: str) -> tuple[PublicKey, ...]:
        """Return the keys with which an active device may sign now, the present one first; none for any other. Cheap: asked
        for every hello, so what another controller process changed may be some seconds late.
        """
        ...

    def seen(self, spoken: Sequence[Spoken], now: int) -> None:
        """Note who spoke, all of a batch in one transaction. A device's next key is its only one once it has used it."""
        ...


class DeviceReader(Protocol):
    """What pages, API and commands read."""

    def rows(
        self,
        scope: Scope,
        states: Sequence[DeviceState] = (),
        text: str = "",
        page: int = 1,
        size: int = 50,
    ) -> Page[DeviceRow]:
        """Return a page of devices and requests, those that wait first; no states: all but refused requests."""
        ...

    def row(self, scope: Scope, name: str) -> DeviceRow | None:
        """Return a device by node id or, where it is the only one, by name."""
        ...

    def request(self, scope: Scope, claim: str) -> DeviceRow | None:
        """Return a request by its claim code."""
        ...

    def requests_of(self, scope: Scope, node_id: str) -> tuple[DeviceRow, ...]:
        """Return the requests that wait for one node id."""
        ...

    def tokens(self, scope: Scope) -> tuple[TokenRow, ...]:
        """Return the tokens, the newest first."""
        ...

    def events(self, scope: Scope, limit: int = 50, node_id: str = "") -> tuple[DeviceEvent, ...]:
        """Return what happened (to one node), newest first."""
        ...


class DeviceChanges(Protocol):
    """What enrolment writes."""

    def settle(self, wanted: Wanted, decide: Decide, now: int) -> Decision:
        """Decide about a request and write it down, in one transaction: a token is spent once, whoever asks at the same
        time.
        """
        ...

    def device(self, node_id: str) -> DeviceRow | None:
        """Return a device by its node id."""
        ...

    def key(self, key_id: str) -> tuple[DeviceRow, PublicKey] | None:
        """Return the active device with this key, and the key."""
        ...

    def certificate(self, serial: str) -> CertificateRow | None:
        """Return a certificate that was issued."""
        ...

    def issue(self, certificate: CertificateRow, public: str, now: int) -> bool:
        """Write a certificate down before it is handed out: with the device's present key in place of the one before, else
        beside it. False, and nothing written, if the device is not active any more.
        """
        ...

    def approve(self, claim: str, by: str, now: int) -> DeviceRow | None:
        """Make a request's device active with the key it asked with; what it had before is revoked. None if it is gone."""
        ...

    def refuse(self, claim: str, by: str, now: int) -> bool:
        """Refuse a request; False if it is gone."""
        ...

    def end(self, node_id: str, state: DeviceState, by: str, now: int) -> bool:
        """Revoke or decommission a device with all its certificates; False if it was so already."""
        ...

    def rename(self, node_id: str, name: str) -> bool:
        """Give a device another name; False if it is gone. Raises NameTaken."""
        ...

    def admitted(self) -> Mapping[str, tuple[str, ...]]:
        """Return the ids of the keys with which each active device may connect now, the present one first, by node id; for
        brokers.
        """
        ...

    def revoked(self, now: int) -> tuple[int, ...]:
        """Return the serial numbers of certificates no broker should take: revoked ones that have not ended long ago,
        and those of a key that its device has replaced.
        """
        ...

    def add_token(self, token: TokenRow) -> None:
        """Keep a new token, and forget those that ended long ago."""
        ...

    def remove_token(self, scope: Scope, token_id: str) -> bool:
        """Remove a token; False if there is none."""
        ...

    def happened(self, node_id: str, code: str, detail: str, by: str, now: int) -> None:
        """Note an event; the same one again within an hour is counted."""
        ...


class Devices(DeviceKeys, DeviceReader, DeviceChanges, Protocol):
    """The whole registry of devices."""
