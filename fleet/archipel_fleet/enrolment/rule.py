"""What becomes of a request to enrol or to renew. Pure: what is asked, what is known, and the time, make a decision.

    right     a token of the fleet, a voucher of an active node of the site, or a claim code that a person compares
    its own   an active device that asks again with the key it has gets its certificate, without any right
    another's a node id that has another key is a copied card or a device set up anew: a person decides, always

A code is that of a finding. Who does not know a token's secret learns nothing about the token.
"""

import hmac
from dataclasses import dataclass

from archipel_contract.trust.enrolment import EnrolmentState
from archipel_fleet.device_records import (
    Approval,
    CertificateRow,
    Decision,
    DeviceRow,
    DeviceState,
    Known,
    TokenRow,
    TokenRule,
    Wanted,
)

DAY = 86_400_000
RENEW_DAYS = 730  # after the end of its certificate, in which an active device may renew
HELD_MOST = 200  # requests without a token that may wait at once; anybody can make them

_ENDED = (DeviceState.REVOKED, DeviceState.DECOMMISSIONED)


@dataclass(frozen=True, slots=True)
class _Right:
    approval: Approval
    by: str
    hold: bool
    customer: str


def decide(wanted: Wanted, known: Known, now: int, renew_days: int = RENEW_DAYS) -> Decision:
    """Return what becomes of a request to enrol. `now` is milliseconds since 1970 UTC."""
    device = known.device
    own = device is not None and wanted.key_id in (device.key_id, device.next_key_id)
    if device is not None and own:
        if device.state in _ENDED:
            return _refused("enrol-revoked", device.customer)
        if not _too_late(device, now, renew_days):
            return Decision(state=EnrolmentState.ISSUED, customer=device.customer)
    asked = known.request
    if asked is not None and asked.state is DeviceState.REFUSED:
        return _refused("enrol-refused", asked.customer)
    if asked is not None and wanted.token_id in ("", asked.token) and not wanted.voucher_given:
        return _again(asked, now)
    right = _right(wanted, known, now)
    if isinstance(right, Decision):
        return right
    return _with_right(right, known, own)


def _with_right(right: _Right, known: Known, own: bool) -> Decision:
    device = known.device
    spend = right.approval is Approval.TOKEN
    if right.approval is Approval.CLAIM and known.request is None and known.held >= HELD_MOST:
        return _refused("enrol-too-many", right.customer)
    taken = device is not None and not own and device.state is not DeviceState.DECOMMISSIONED
    if taken:
        # Without a right of its own the other key is refused; either way a person may let it in by its code.
        state = EnrolmentState.REFUSED if right.approval is Approval.CLAIM else EnrolmentState.PENDING
        code = "enrol-node-known"
        return _decided(right, state, code=code, hold=True, spend=spend)
    if right.hold:
        return _decided(right, EnrolmentState.PENDING, hold=True, spend=spend)
    return _decided(right, EnrolmentState.ISSUED, admit=True, spend=spend)


def _decided(
    right: _Right,
    state: EnrolmentState,
    *,
    code: str = "",
    admit: bool = False,
    hold: bool = False,
    spend: bool,
) -> Decision:
    return Decision(
        state=state, code=code, admit=admit, hold=hold, spend=spend,
        customer=right.customer, approval=right.approval, by=right.by,
    )  # fmt: skip


def _again(asked: DeviceRow, now: int) -> Decision:
    """A request that waits already, asked once more; noted once a day, so that it is not forgotten while it waits."""
    state = EnrolmentState.PENDING
    if asked.code == "enrol-node-known" and asked.approval is Approval.CLAIM:
        state = EnrolmentState.REFUSED
    stale = now - (asked.last_seen or 0) > DAY
    return Decision(state=state, code=asked.code, customer=asked.customer, hold=stale)


def _right(wanted: Wanted, known: Known, now: int) -> _Right | Decision:
    if wanted.token_given:
        code = _token_code(wanted, known, now)
        if code or known.token is None:
            return _refused(code or "enrol-token-wrong", "")
        customer = known.token.customer or known.site_customer or ""
        return _Right(Approval.TOKEN, known.token.id, known.token.rule is TokenRule.HOLD, customer)
    if wanted.voucher_given:
        voucher = known.voucher
        if voucher is None or voucher.state is not DeviceState.ACTIVE or voucher.site_id != wanted.site_id:
            return _refused("enrol-voucher-invalid", "")
        return _Right(Approval.VOUCHER, voucher.node_id, False, voucher.customer)
    return _Right(Approval.CLAIM, "", True, known.site_customer or "")


def _token_code(wanted: Wanted, known: Known, now: int) -> str:
    token = known.token
    if token is None or not hmac.compare_digest(token.digest, wanted.token_digest):
        return "enrol-token-wrong"
    if token.expires <= now:
        return "enrol-token-expired"
    if token.left <= 0:
        return "enrol-token-used"
    if not _fits(token, wanted.site_id, known.site_customer):
        return "enrol-token-elsewhere"
    return ""


def _fits(token: TokenRow, site_id: str, site_customer: str | None) -> bool:
    of_site = not token.site_id or site_id in ("", token.site_id)
    return of_site and (not token.customer or site_customer in (None, token.customer))


def _refused(code: str, customer: str) -> Decision:
    return Decision(state=EnrolmentState.REFUSED, code=code, customer=customer)


def _too_late(device: DeviceRow, now: int, renew_days: int) -> bool:
    return device.not_after is not None and now > device.not_after + renew_days * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewing:
    """A request to renew, made over a connection with a certificate of our CA."""

    serial: str
    key_id: str  # of the certificate of the connection
    wanted_key_id: str
    not_before: int
    not_after: int
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """What becomes of it: a new certificate, the one there is, or a refusal by a code."""

    issue: bool = False
    present: bool = False
    code: str = ""


def renew(
    asked: Renewing,
    device: DeviceRow | None,
    certificate: CertificateRow | None,
    now: int,
    renew_days: int = RENEW_DAYS,
) -> Renewal:
    """Return what becomes of a request to renew; `certificate` is the registry's, None if it does not know it (which may be
    if an older copy of the registry was restored: then the key decides).
    """
    if device is None:
        return Renewal(code="renew-unknown")
    if device.state is not DeviceState.ACTIVE:
        return Renewal(code="renew-revoked")
    known = certificate is not None and certificate.node_id == device.node_id
    if known and certificate is not None and certificate.revoked is not None:
        return Renewal(code="renew-revoked")
    if asked.key_id not in (device.key_id, device.next_key_id):
        return Renewal(code="renew-other-key")
    if now > asked.not_after + renew_days * DAY:
        return Renewal(code="renew-too-late")
    early = now < asked.not_before + (asked.not_after - asked.not_before) // 2
    if early and not asked.forced:
        if asked.wanted_key_id == asked.key_id and known:
            return Renewal(present=True)
        return Renewal(code="renew-early")
    return Renewal(issue=True)
