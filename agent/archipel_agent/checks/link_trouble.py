"""What is wrong with the link to the fleet, as codes of findings: one rule for the checks and for whether to look closely.

No check itself. A link that goes away for a moment is no trouble: it comes back by itself, and a site needs none.
"""

from datetime import datetime, timedelta

from archipel_contract.status import LinkState, LinkStatus

AWAY = ("link-broker-away", "link-proxy-away")  # what comes back by itself more often than not
BROKER = (
    *AWAY,
    "link-broker-wrong",
    "link-broker-refused",
    "link-not-loopback",
    "link-tls-unusable",
    "link-tls-refused",
    "link-tls-wrong-broker",
    "link-tls-time",
    "link-proxy-refused",
)
UNANSWERED = "link-unanswered"
BACKLOG = "link-backlog"
DROPPED = "link-dropped"
DAMAGED = "link-outbox-damaged"
BY_SIGNATURE, STALE, FOREIGN = "order-refused-signature", "order-refused-stale", "order-refused-foreign"
# Why something was refused -> which finding it is; what is not named here could not be read, or was for somebody else.
REFUSALS = {
    **dict.fromkeys(
        ("message-unsigned", "message-forged", "message-untrusted", "message-revoked"), BY_SIGNATURE
    ),
    **dict.fromkeys(("message-expired-key", "trust-not-of-this-fleet"), BY_SIGNATURE),
    **dict.fromkeys(("order-replayed", "order-expired", "order-not-fresh"), STALE),
    **dict.fromkeys(("order-rolled-back", "trust-rolled-back", "order-not-kept"), STALE),
}

AWAY_AFTER = timedelta(minutes=2)  # a broker that is started again answers sooner
UNANSWERED_AFTER = timedelta(minutes=10)
NEARLY_FULL = 0.8


def codes(link: LinkStatus | None, now: datetime) -> tuple[str, ...]:
    """Return what is wrong with the link now; nothing while it is off or nobody knows."""
    if link is None or link.state in (LinkState.OFF, LinkState.UNKNOWN):
        return ()
    found = (
        broker(link, now),
        controller(link, now),
        backlog(link),
        DAMAGED if link.code == DAMAGED else "",
        DROPPED if link.dropped else "",
        *sorted({refusal(one.code) for one in link.orders.refused}),
    )
    return tuple(code for code in found if code)


def refusal(code: str) -> str:
    """Return the finding for a reason why something from above was refused."""
    return REFUSALS.get(code, FOREIGN)


def broker(link: LinkStatus, now: datetime) -> str:
    """Return what keeps the node from its broker; empty if nothing does. A broker that is away is given a little time."""
    if link.state is not LinkState.AWAY:
        return ""
    if link.code in BROKER and link.code not in AWAY:
        return link.code
    code = link.code if link.code in AWAY else AWAY[0]
    return code if _longer(link, now, AWAY_AFTER) else ""


def controller(link: LinkStatus, now: datetime) -> str:
    """Return the code for a broker without anybody behind it that answers, once that has lasted."""
    silent = link.state is LinkState.UNANSWERED and _longer(link, now, UNANSWERED_AFTER)
    return UNANSWERED if silent else ""


def backlog(link: LinkStatus) -> str:
    """Return the code for an outbox that is nearly full."""
    is_full = link.limit_bytes > 0 and link.waiting_bytes >= NEARLY_FULL * link.limit_bytes
    return BACKLOG if is_full else ""


def _longer(link: LinkStatus, now: datetime, span: timedelta) -> bool:
    """Whether the state has lasted so long. A clock that was set meanwhile counts as long: better said than hidden."""
    try:
        since = datetime.fromisoformat(link.since)
        return not timedelta(0) <= now - since < span
    except (ValueError, TypeError):  # no time, or one without a zone
        return True
