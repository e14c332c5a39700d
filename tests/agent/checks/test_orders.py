"""The check of what was refused from above: three kinds of reason, and none of it makes a site unhealthy."""

from dataclasses import replace

import pytest

from archipel_agent.checks import link_trouble, orders
from archipel_agent.checks.base import Evidence
from archipel_contract.findings import Severity, Verdict
from archipel_contract.status import LinkMode, LinkState, LinkStatus, OrdersStatus, RefusedOrders
from tests.agent.checks.machines import GOOD, NOW


def refused(*codes: str) -> Evidence:
    """A good machine that refused something for each of these reasons."""
    lately = tuple(
        RefusedOrders(code=code, count=3, last_at=NOW.isoformat(), detail="because") for code in codes
    )
    link = LinkStatus(
        mode=LinkMode.ALWAYS_ON, state=LinkState.CONNECTED, orders=OrdersStatus(heeded=True, refused=lately)
    )
    return replace(GOOD, link=link)


def test_a_node_that_refused_nothing_or_takes_no_orders_has_no_finding() -> None:
    assert orders.look(refused()).verdict is Verdict.OK
    assert orders.look(replace(GOOD, link=LinkStatus())).verdict is Verdict.OK
    assert orders.look(replace(GOOD, link=None)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("message-forged", "order-refused-signature"),
        ("message-revoked", "order-refused-signature"),
        ("trust-not-of-this-fleet", "order-refused-signature"),
        ("order-replayed", "order-refused-stale"),
        ("trust-rolled-back", "order-refused-stale"),
        ("message-malformed", "order-refused-foreign"),
        ("order-not-for-us", "order-refused-foreign"),
        ("what-a-later-version-says", "order-refused-foreign"),
    ],
)
def test_every_reason_has_its_finding(code: str, found: str) -> None:
    (one,) = orders.look(refused(code)).findings
    assert (one.code, one.params) == (found, {"detail": code})
    assert one.severity is not Severity.PROBLEM
    assert "3 times" in one.evidence[0] and "because" in one.evidence[0]


def test_reasons_of_one_kind_are_one_finding_however_many_there_are() -> None:
    evidence = refused("message-forged", "message-unsigned", "order-expired")
    assert [one.code for one in orders.look(evidence).findings] == [
        "order-refused-signature",
        "order-refused-stale",
    ]
    assert link_trouble.codes(evidence.link, NOW) == ("order-refused-signature", "order-refused-stale")


def test_more_of_the_same_is_no_other_finding() -> None:
    once = refused("message-forged")
    assert once.link is not None
    more = replace(once.link.orders.refused[0], count=4000, last_at="2026-12-01T00:00:00Z", detail="other")
    again = replace(once, link=replace(once.link, orders=replace(once.link.orders, refused=(more,))))
    (before,), (after,) = orders.look(once).findings, orders.look(again).findings
    assert replace(before, evidence=()) == replace(after, evidence=())
