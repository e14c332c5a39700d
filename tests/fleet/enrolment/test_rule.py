"""The rule over everything that can be asked and known: what must never be, whatever the case."""

import dataclasses
from typing import Any

import hypothesis
from hypothesis import strategies as st

from archipel_contract.trust.enrolment import EnrolmentState
from archipel_fleet.device_records import (
    Approval,
    CertificateRow,
    DeviceRow,
    DeviceState,
    Known,
    TokenRow,
    TokenRule,
    Wanted,
)
from archipel_fleet.enrolment.rule import DAY, HELD_MOST, RENEW_DAYS, Renewing, decide, renew

NOW = 2_000 * DAY
NODE = "n-0000000000000001"
KEYS = st.sampled_from(["k-1", "k-2", "k-3"])
SITES = st.sampled_from(["", "s-1", "s-2"])
CUSTOMERS = st.sampled_from(["", "north", "south"])
TIMES = st.sampled_from([NOW - 3 * 365 * DAY, NOW - DAY, NOW, NOW + DAY])
SETTINGS = hypothesis.settings(max_examples=100, deadline=None)

DEVICES = st.builds(
    DeviceRow,
    node_id=st.just(NODE),
    state=st.sampled_from([DeviceState.ACTIVE, DeviceState.REVOKED, DeviceState.DECOMMISSIONED]),
    customer=st.sampled_from(["north", "south"]),
    key_id=KEYS,
    next_key_id=st.sampled_from(["", "k-3"]),
    site_id=SITES,
    not_after=st.none() | TIMES,
)
REQUESTS = st.builds(
    DeviceRow,
    node_id=st.just(NODE),
    state=st.sampled_from([DeviceState.PENDING, DeviceState.REFUSED]),
    customer=st.sampled_from(["north", "south"]),
    key_id=KEYS,
    token=st.sampled_from(["", "t-1"]),
    approval=st.sampled_from(Approval),
    code=st.sampled_from(["", "enrol-node-known"]),
    last_seen=TIMES,
)
TOKENS = st.builds(
    TokenRow,
    id=st.just("t-1"),
    digest=st.sampled_from(["right", "wrong"]),
    made_by=st.just("anna"),
    made=st.just(0),
    expires=TIMES,
    left=st.integers(0, 2),
    rule=st.sampled_from(TokenRule),
    site_id=SITES,
    customer=CUSTOMERS,
)
VOUCHERS = st.builds(
    DeviceRow,
    node_id=st.just("n-0000000000000002"),
    state=st.sampled_from(DeviceState),
    customer=st.just("north"),
    site_id=SITES,
)
ANYTHING = st.builds(
    Wanted,
    node_id=st.just(NODE),
    key_id=KEYS,
    public=st.just("p"),
    claim=st.just("c"),
    site_id=SITES,
    token_given=st.booleans(),
    token_id=st.sampled_from(["", "t-1", "t-2"]),
    token_digest=st.sampled_from(["right", ""]),
    voucher_given=st.booleans(),
)


# Of all that can be asked few have a right; half of the cases are of those who have.
GOOD_TOKEN = st.builds(
    TokenRow,
    id=st.just("t-1"),
    digest=st.just("right"),
    made_by=st.just("anna"),
    made=st.just(0),
    expires=st.just(NOW + DAY),
    rule=st.sampled_from(TokenRule),
)
GOOD_VOUCHER = st.builds(
    DeviceRow,
    node_id=st.just("n-0000000000000002"),
    state=st.just(DeviceState.ACTIVE),
    customer=st.just("north"),
    site_id=st.just("s-1"),
)


def with_right(one: Wanted) -> st.SearchStrategy[Wanted]:
    token: dict[str, Any] = {"token_given": True, "token_id": "t-1", "token_digest": "right"}
    voucher: dict[str, Any] = {"token_given": False, "voucher_given": True, "site_id": "s-1"}
    return st.sampled_from([one, dataclasses.replace(one, **token), dataclasses.replace(one, **voucher)])


WANTED = ANYTHING.flatmap(with_right)


@st.composite
def knowns(draw: st.DrawFn) -> Known:
    return Known(
        device=draw(st.none() | DEVICES),
        request=draw(st.sampled_from([None, None, 1]).flatmap(lambda one: REQUESTS if one else st.none())),
        token=draw(GOOD_TOKEN | st.none() | TOKENS),
        voucher=draw(GOOD_VOUCHER | st.none() | VOUCHERS),
        site_customer=draw(st.none() | st.sampled_from(["north", "south"])),
        held=draw(st.sampled_from([0, HELD_MOST])),
    )


def fitting(wanted: Wanted, known: Known) -> Known:
    """A request is looked up by node id and key."""
    request = known.request
    return (
        known
        if request is None
        else dataclasses.replace(known, request=dataclasses.replace(request, key_id=wanted.key_id))
    )


@SETTINGS
@hypothesis.given(WANTED, knowns())
def test_nobody_is_let_in_without_a_right(wanted: Wanted, known: Known) -> None:
    known = fitting(wanted, known)
    decided = decide(wanted, known, NOW)
    if not decided.admit:
        return
    assert decided.state is EnrolmentState.ISSUED
    assert not decided.hold
    if decided.approval is Approval.TOKEN:
        token = known.token
        assert token is not None
        assert wanted.token_given and token.digest == wanted.token_digest == "right"
        assert token.left > 0 and token.expires > NOW and token.rule is TokenRule.APPROVE
        assert decided.spend and decided.by == token.id
        assert not (token.site_id and wanted.site_id) or token.site_id == wanted.site_id
        assert known.site_customer in (None, token.customer or known.site_customer)
    else:
        voucher = known.voucher
        assert decided.approval is Approval.VOUCHER
        assert voucher is not None
        assert voucher.state is DeviceState.ACTIVE
        assert voucher.site_id == wanted.site_id
        assert decided.by == voucher.node_id


@SETTINGS
@hypothesis.given(WANTED, knowns())
def test_a_key_that_another_has_or_had_is_never_replaced_without_a_person(
    wanted: Wanted, known: Known
) -> None:
    known = fitting(wanted, known)
    decided = decide(wanted, known, NOW)
    device = known.device
    if device is None or wanted.key_id in (device.key_id, device.next_key_id):
        return
    if device.state is not DeviceState.DECOMMISSIONED:
        assert not decided.admit
        assert decided.state is not EnrolmentState.ISSUED


@SETTINGS
@hypothesis.given(WANTED, knowns())
def test_an_ended_key_gets_nothing(wanted: Wanted, known: Known) -> None:
    known = fitting(wanted, known)
    decided = decide(wanted, known, NOW)
    device = known.device
    if device is not None and device.key_id == wanted.key_id and device.state is not DeviceState.ACTIVE:
        assert (decided.state, decided.code) == (EnrolmentState.REFUSED, "enrol-revoked")
        assert not (decided.admit or decided.hold or decided.spend)


@SETTINGS
@hypothesis.given(WANTED, knowns())
def test_every_decision_makes_sense_in_itself(wanted: Wanted, known: Known) -> None:
    known = fitting(wanted, known)
    decided = decide(wanted, known, NOW)
    assert decided.state is not EnrolmentState.UNKNOWN
    assert not (decided.admit and decided.hold)
    assert bool(decided.code) or decided.state is not EnrolmentState.REFUSED
    assert not decided.code or decided.state is not EnrolmentState.ISSUED
    if decided.spend:
        assert decided.admit or decided.hold, "a token that is spent brings something"


RENEWALS = st.builds(
    Renewing,
    serial=st.just("a1"),
    key_id=KEYS,
    wanted_key_id=KEYS,
    not_before=st.sampled_from([NOW - 4 * 365 * DAY, NOW - 200 * DAY, NOW - DAY]),
    not_after=st.sampled_from(
        [NOW - (RENEW_DAYS + 1) * DAY, NOW - RENEW_DAYS * DAY, NOW - DAY, NOW + 165 * DAY]
    ),
    forced=st.booleans(),
)
CERTIFICATES = st.builds(
    CertificateRow,
    serial=st.just("a1"),
    node_id=st.just(NODE),
    key_id=KEYS,
    issued=st.just(0),
    not_after=st.just(NOW),
    pem=st.just("pem"),
    revoked=st.none() | st.just(NOW - DAY),
)


@SETTINGS
@hypothesis.given(RENEWALS, st.none() | DEVICES, st.none() | CERTIFICATES)
def test_only_an_active_device_renews_with_a_key_that_counts_and_not_too_late(
    asked: Renewing, device: DeviceRow | None, certificate: CertificateRow | None
) -> None:
    decided = renew(asked, device, certificate, NOW)
    assert bool(decided.code) + decided.issue + decided.present == 1
    if decided.code:
        return
    assert device is not None
    assert device.state is DeviceState.ACTIVE
    assert asked.key_id in (device.key_id, device.next_key_id)
    assert asked.not_after >= NOW - RENEW_DAYS * DAY
    assert certificate is None or certificate.revoked is None
    half = asked.not_before + (asked.not_after - asked.not_before) // 2
    assert decided.present or asked.forced or half <= NOW


def test_what_a_token_is_worth_ends_with_its_time_to_the_millisecond() -> None:
    token = TokenRow(id="t", digest="d", made_by="anna", made=0, expires=NOW)
    wanted = Wanted(
        node_id=NODE, key_id="k-1", public="p", claim="c", token_given=True, token_id="t", token_digest="d"
    )
    assert decide(wanted, Known(token=token), NOW - 1).admit
    assert decide(wanted, Known(token=token), NOW).code == "enrol-token-expired"
