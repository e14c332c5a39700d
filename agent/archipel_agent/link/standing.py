"""How the link stands, for people: its status, since when, and the outages worth remembering. Called by `link`."""

from dataclasses import replace
from datetime import timedelta

from archipel_agent.host.clock import text
from archipel_agent.link.core import LinkCore
from archipel_agent.link.entries import Stamp
from archipel_agent.link.schedule import Schedule
from archipel_agent.link.session import Session
from archipel_agent.ports import Clock
from archipel_contract.facts import NodeUsage
from archipel_contract.link.messages import Event, EventKind
from archipel_contract.status import LinkMode, LinkState, LinkStatus, Report

OUTAGE_SECONDS = 60.0  # a shorter one is a hiccup
DAMAGED = "link-outbox-damaged"
SET_ASIDE = ("outbox-damaged", "outbox-newer", "outbox-locked")
NO_USAGE = NodeUsage()


def bare(report: Report) -> Report:
    """Return a report without what is measured anew in every turn: two that are equal have the same state."""
    node = replace(report.node, usage=NO_USAGE)
    return replace(report, at="", sentence="", job="", node=node, link=LinkStatus())


class Standing:
    """Remembers since when the link is as it is."""

    def __init__(self, mode: LinkMode, broker: str, clock: Clock) -> None:
        self._mode, self._broker, self._clock = mode, broker, clock
        self._state, self._since = LinkState.UNKNOWN, text(clock.now())
        self._was_welcome = False
        self._away: tuple[float, Stamp, str] | None = None

    def status(self, session: Session | None, schedule: Schedule, core: LinkCore) -> LinkStatus:
        """Return how the link stands now."""
        now, wall = self._clock.monotonic(), self._clock.now()
        state = self._judge(session, schedule, core)
        if state is not self._state:
            self._state, self._since = state, text(wall)
        counts = core.waiting()
        code, message = (session.code, session.message) if session is not None else ("", "")
        if not code and core.trouble:
            code, message = DAMAGED if core.trouble in SET_ASIDE else "", core.detail
        answered = core.answered_at
        is_talking = session is not None and session.is_connected and not session.is_resting
        return LinkStatus(
            mode=self._mode,
            state=state,
            broker=self._broker,
            since=self._since,
            last_answer_at="" if answered is None else text(wall - timedelta(seconds=now - answered)),
            next_call_at=""
            if is_talking
            else text(wall + timedelta(seconds=max(0.0, schedule.next_at - now))),
            code=code,
            message=message,
            waiting=sum(count for count, _ in counts.values()),
            waiting_bytes=sum(size for _, size in counts.values()),
            limit_bytes=core.limit(),
            dropped=core.dropped,
        )

    @staticmethod
    def _judge(session: Session | None, schedule: Schedule, core: LinkCore) -> LinkState:
        if session is None or (not session.is_connected and not session.code and not schedule.is_planned):
            return LinkState.UNKNOWN  # no attempt was made yet
        if session.is_resting:  # a silent line is known to stand only once somebody has spoken on it
            return LinkState.UNANSWERED if session.code else LinkState.PLANNED_QUIET
        if session.is_connected:
            return LinkState.CONNECTED if core.is_welcome else LinkState.UNANSWERED
        if session.code == "link-unanswered":
            return LinkState.UNANSWERED
        return LinkState.PLANNED_QUIET if schedule.is_planned and not session.code else LinkState.AWAY

    def outage(self, is_welcome: bool, stamp: Stamp, session: Session | None) -> list[tuple[Stamp, Event]]:
        """Return what is to be told, and when it happened, once a long outage is over."""
        now = self._clock.monotonic()
        if self._mode is LinkMode.DIAL_IN:
            return []
        if self._was_welcome and not is_welcome:
            self._away = now, stamp, session.code if session is not None else ""
        self._was_welcome = is_welcome
        if not is_welcome or self._away is None:
            return []
        (since, lost, code), self._away = self._away, None
        if now - since < OUTAGE_SECONDS:
            return []
        params = {"seconds": str(int(now - since)), **({"code": code} if code else {})}
        return [
            (lost, Event(kind=EventKind.LINK_LOST, subject=code)),
            (stamp, Event(kind=EventKind.LINK_BACK, subject=code, params=params)),
        ]
