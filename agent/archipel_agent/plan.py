"""Plan: what should be done now about what is seen. Pure; acting is `turn`'s.

Under systemd the answer is nearly always nothing: systemd keeps k3s, and what an administrator stopped by hand stays
stopped (a finding says so). Without systemd the agent does what systemd would.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from archipel_agent.checks.base import Evidence
from archipel_agent.k3s import restarts
from archipel_agent.k3s.certificates import first_to_end
from archipel_agent.k3s.restarts import Memory, Window
from archipel_contract.facts import ClockQuality
from archipel_contract.site import Desired, SiteDocument
from archipel_contract.status import K3sStatus, ServiceState

FIRST_DELAY_SECONDS = 5.0  # systemd's RestartSec in our unit of k3s
LONGEST_DELAY_SECONDS = 300.0
BY_HAND = (
    "hand"  # who keeps a k3s that was adopted from whoever started it: only they can start it again as it was
)
OTHERS = ("systemd", BY_HAND)


class Act(StrEnum):
    """What a turn may do."""

    START_K3S = "start-k3s"
    RESTART_K3S = "restart-k3s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do, and why."""

    act: Act
    reason: str


def delay(restarts: int) -> float:
    """Return the seconds to wait before another start: doubling, so that a broken k3s does not wear out the card."""
    doublings = min(restarts, 10)
    return min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


def plan(
    site: SiteDocument | None, k3s: K3sStatus, last_start: datetime | None, now: datetime
) -> tuple[Action, ...]:
    """Return what to do; `last_start` is when a turn last started k3s."""
    if site is None or site.desired is Desired.STOPPED or k3s.kept_by in OTHERS:
        return ()
    if k3s.state not in (ServiceState.STOPPED, ServiceState.FAILING) or k3s.pid is not None:
        return ()
    waited = (now - last_start).total_seconds() if last_start else None
    # A clock that jumped back must not stop the restarts for years.
    if waited is not None and 0 <= waited < delay(k3s.restarts):
        return ()
    ended = "it had ended" if k3s.state is ServiceState.FAILING else "it was not running"
    return (Action(act=Act.START_K3S, reason=ended),)


def plan_restart(
    evidence: Evidence, memory: Memory, span: Window | None, node_id: str, local: datetime
) -> tuple[Action, ...]:
    """Return the restart of k3s that renews its certificates, if this is the time for it; `local` is the local time.

    Never by a clock nobody stands behind, never outside the window, never twice for the same certificates, and only where
    the API answers: a k3s in trouble is not the one to restart in the night.
    """
    site, time = evidence.site, evidence.time
    first = first_to_end(evidence.certificates or ())
    if span is None or first is None or site is None or site.desired is Desired.STOPPED:
        return ()
    if time is None or not time.checks_dates or time.quality is ClockQuality.WRONG:
        return ()
    if evidence.k3s.kept_by == BY_HAND:
        return ()
    if evidence.k3s.state is not ServiceState.RUNNING or not (evidence.cluster and evidence.cluster.ready):
        return ()
    run = evidence.k3s.started_at
    if not restarts.is_wanted(memory, first.ends, time.now) or restarts.was_tried(memory, first.ends, run):
        return ()
    if not restarts.is_time(span, node_id, tuple(one.node_id for one in site.nodes), local):
        return ()
    return (Action(act=Act.RESTART_K3S, reason=f"its certificates end on {first.ends:%Y-%m-%d}"),)
