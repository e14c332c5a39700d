"""What people do about devices: give tokens, approve, refuse, rename, revoke, decommission. Called by API and pages.

Who may do what is the callers' to check; here everything is bound to what an account may see. Whoever reloads brokers and
cuts connections is told by `ended`. The registry itself writes down who came in and who was ended; the rest is done here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from archipel_contract.names import RandomBytes
from archipel_contract.trust import certificates
from archipel_contract.trust.token import CLAIM_LENGTH, Invitation, new_token
from archipel_fleet.device_ports import Devices
from archipel_fleet.device_records import Approval, DeviceRow, DeviceState, TokenRow, TokenRule
from archipel_fleet.domain.device_names import printable
from archipel_fleet.order_records import Deed
from archipel_fleet.ports import Clock, Keys
from archipel_fleet.records import Account

HOUR = 3_600_000
LONGEST_HOURS = 24 * 365
MOST_USES = 10_000
CODE = CLAIM_LENGTH + 2  # characters of a claim code with its dashes


class Journal(Protocol):
    """Where it is written down who did what."""

    def record(self, deed: Deed, now: int) -> None:
        """Write down what was done."""
        ...


class DeviceUnknown(Exception):
    """There is none of that name, or none that this account may know of."""


class NotSo(Exception):
    """That cannot be done to this device; `code` says why: claim-needed, several-requests, ended."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a token should allow."""

    uses: int = 1
    hours: int = 24
    rule: TokenRule = TokenRule.APPROVE
    site_id: str = ""
    customer: str = ""
    label: str = ""


class Care:
    """Everything people do about devices."""

    def __init__(
        self,
        devices: Devices,
        keys: Keys,
        clock: Clock,
        random: RandomBytes,
        ended: Callable[[str], None] = lambda node_id: None,
        address: str = "",
        journal: Journal | None = None,
    ) -> None:
        """`address` is where devices reach the listener (`https://host:port`). `ended` is called with the id of a node whose
        certificates are not to be taken any more, once that is written down.
        """
        self._devices = devices
        self._keys = keys
        self._clock = clock
        self._random = random
        self._ended = ended
        self._address = address
        self._journal = journal

    def new_token(self, account: Account, wanted: NewToken) -> tuple[TokenRow, Invitation]:
        """Make a token; its secret is known only now. Uses and hours are bounded, the customer is the account's own."""
        made = new_token(self._random, certificates.pin(self._keys.shown_authority.pem))
        now = self._clock.now()
        uses = min(max(wanted.uses, 1), MOST_USES)
        row = TokenRow(
            id=made.id,
            digest=made.digest,
            made_by=account.name,
            made=now,
            expires=now + min(max(wanted.hours, 1), LONGEST_HOURS) * HOUR,
            uses=uses,
            left=uses,
            rule=wanted.rule,
            site_id=wanted.site_id,
            customer=account.customer or wanted.customer,
            label=printable(wanted.label, 100),
        )
        self._devices.add_token(row)
        said = {"token": row.id, "uses": str(uses), "rule": str(row.rule), "label": row.label}
        self._did(account, "token-made", row.customer, said)
        return row, Invitation(self._address, made)

    def remove_token(self, account: Account, token_id: str) -> None:
        """Remove a token; raise DeviceUnknown."""
        if not self._devices.remove_token(account.scope, token_id):
            raise DeviceUnknown(token_id)
        self._did(account, "token-removed", account.customer or "", {"token": token_id})

    def approve(self, account: Account, name: str) -> DeviceRow:
        """Approve a request by its claim code, or by node id where it came with a right of its own; raise DeviceUnknown,
        NotSo.

        A request that nothing but its code speaks for is approved by that code only: whoever approves has compared it.
        """
        before, request = self._request(account, name)
        by_code = name.lower() == request.claim
        if not by_code and (request.approval is Approval.CLAIM or before is not None):
            raise NotSo("claim-needed", "this request is approved by the code that the device shows")
        admitted = self._devices.approve(request.claim, account.name, self._clock.now())
        if admitted is None:
            raise DeviceUnknown(name)
        if before is not None:
            self._ended(before.node_id)
        return admitted

    def refuse(self, account: Account, name: str) -> DeviceRow:
        """Refuse a request by its claim code or node id; raise DeviceUnknown, NotSo."""
        _, request = self._request(account, name)
        if not self._devices.refuse(request.claim, account.name, self._clock.now()):
            raise DeviceUnknown(name)
        self._did_to(account, "device-refused", request, claim=request.claim)
        return replace(request, state=DeviceState.REFUSED, approved_by=account.name)

    def rename(self, account: Account, name: str, new: str) -> DeviceRow:
        """Give a device another name; raise DeviceUnknown, NameTaken, NotSo for a name that is none."""
        row = self._row(account, name)
        wanted = printable(new)
        if not wanted:
            raise NotSo("name-empty", "a name has at least one character")
        if not self._devices.rename(row.node_id, wanted):
            raise DeviceUnknown(name)
        self._did_to(account, "device-renamed", row, before=row.name, after=wanted)
        return replace(row, name=wanted)

    def revoke(self, account: Account, name: str) -> DeviceRow:
        """Revoke a device: its key and certificates are not heeded any more. Raises DeviceUnknown, NotSo."""
        return self._end(account, name, DeviceState.REVOKED)

    def decommission(self, account: Account, name: str) -> DeviceRow:
        """Take a device out of service; with a new key and right it may come again. Raises DeviceUnknown, NotSo."""
        return self._end(account, name, DeviceState.DECOMMISSIONED)

    def _end(self, account: Account, name: str, state: DeviceState) -> DeviceRow:
        row = self._row(account, name)
        if not self._devices.end(row.node_id, state, account.name, self._clock.now()):
            raise NotSo("ended", f"{row.name} is {row.state} already")
        self._ended(row.node_id)
        return replace(row, state=state)

    def _did_to(self, account: Account, action: str, row: DeviceRow, **params: str) -> None:
        known = {"device": row.name or row.hostname or row.node_id, **params}
        self._did(account, action, row.customer, known, row)

    def _did(
        self,
        account: Account,
        action: str,
        customer: str,
        params: dict[str, str],
        row: DeviceRow | None = None,
    ) -> None:
        if self._journal is None:
            return
        deed = Deed(
            actor=f"fleet:{account.name}",
            action=action,
            params={name: value for name, value in params.items() if value},
            customer=customer or None,
            site_id=row.site_id if row is not None else "",
            node_id=row.node_id if row is not None else "",
        )
        self._journal.record(deed, self._clock.now())

    def _row(self, account: Account, name: str) -> DeviceRow:
        row = self._devices.row(account.scope, name)
        if row is None:
            raise DeviceUnknown(name)
        return row

    def _request(self, account: Account, name: str) -> tuple[DeviceRow | None, DeviceRow]:
        """Return the device there is with a request's node id, if it is active, and the request."""
        found = self._devices.request(account.scope, name.lower()) if len(name) == CODE else None
        if found is None:
            waiting = self._devices.requests_of(account.scope, name)
            if not waiting:
                raise DeviceUnknown(name)
            if len(waiting) > 1:
                raise NotSo("several-requests", "several requests wait for this node; name one by its code")
            found = waiting[0]
        device = self._devices.device(found.node_id)
        return device, found
