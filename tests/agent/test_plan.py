"""What a turn decides to do about k3s' certificates, one condition after the other taken away. Pure."""

from dataclasses import replace
from datetime import timedelta

import pytest

from archipel_agent.checks.base import Evidence
from archipel_agent.k3s.restarts import Memory, Window, tried
from archipel_agent.plan import Act, plan_restart
from archipel_contract.facts import ClockQuality
from archipel_contract.site import Desired
from archipel_contract.status import ClusterStatus, K3sStatus, ServiceState
from tests.agent.checks.machines import GOOD, NOW

DAY = timedelta(days=1)
SHORT = Window(NOW.hour * 60 + NOW.minute, 5)  # a window that is this node's minutes and has just begun
RUN = "2026-01-01T00:00:00Z"
assert GOOD.site is not None and GOOD.time is not None and GOOD.certificates is not None
NODE_ID = GOOD.site.nodes[0].node_id
UNTIL = NOW + 100 * DAY
DUE = replace(
    GOOD,
    certificates=(replace(GOOD.certificates[0], ends=UNTIL),),
    k3s=replace(GOOD.k3s, started_at=RUN),
)


def planned(
    evidence: Evidence, memory: Memory = Memory(), span: Window | None = SHORT, later: timedelta = timedelta()
) -> list[Act]:
    """What is to be done."""
    found = plan_restart(evidence, memory, span, NODE_ID, NOW + later)
    return [action.act for action in found]


def test_a_good_site_whose_certificates_end_is_restarted_in_its_minutes() -> None:
    assert planned(DUE) == [Act.RESTART_K3S]


@pytest.mark.parametrize(
    "evidence",
    [
        replace(DUE, time=replace(GOOD.time, checks_dates=False)),
        replace(DUE, time=replace(GOOD.time, quality=ClockQuality.WRONG)),
        replace(DUE, time=None),
        replace(DUE, certificates=None),
        replace(
            DUE, certificates=(replace(DUE.certificates[0], kind="authority"),) if DUE.certificates else ()
        ),
        replace(DUE, certificates=GOOD.certificates),
        replace(DUE, site=None),
        replace(DUE, site=replace(GOOD.site, desired=Desired.STOPPED)),
        replace(DUE, k3s=K3sStatus(state=ServiceState.STARTING, started_at=RUN)),
        replace(DUE, cluster=ClusterStatus(reachable=False)),
        replace(DUE, cluster=None),
    ],
    ids=[
        "a clock nobody stands behind",
        "a wrong clock",
        "an unknown time",
        "unread certificates",
        "only authorities, which a restart does not renew",
        "certificates that hold",
        "no site",
        "a site that is stopped on purpose",
        "a k3s that is starting",
        "an API that does not answer",
        "an API nobody asked",
    ],
)
def test_nothing_is_restarted_with(evidence: Evidence) -> None:
    assert planned(evidence) == []


def test_nothing_is_restarted_without_a_window_or_outside_of_it() -> None:
    assert planned(DUE, span=None) == []
    assert planned(DUE, later=timedelta(minutes=6)) == []
    assert planned(DUE, later=timedelta(minutes=-1)) == []


def test_nothing_is_restarted_twice_for_the_same_certificates() -> None:
    assert planned(DUE, tried(Memory(), UNTIL, "an earlier run")) == []
    assert planned(DUE, tried(Memory(), UNTIL, RUN)) == [
        Act.RESTART_K3S
    ]  # it was cut off before k3s was stopped
