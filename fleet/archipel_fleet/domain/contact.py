"""Contact: is a node or site heard of when it should be? Judged by receive times alone; says nothing about health.

The store keeps of each node (and, as the best of its servers, of each site) a `Pulse`, and judges it whenever somebody
looks; `storage` has the same judgement once more as SQL, held to this one by a test. Two rules keep it honest:

* Silence counts only while somebody listened. `owed` is the moment at which a word has been missed for one whole grace
  while this controller listened without a break; when a new stretch of listening begins, whoever was not overdue by the
  end of the last one gets a whole grace again, and until then is `unknown` rather than overdue.
* A connection is believed only by who hears it: connections of an earlier stretch of listening are `unknown` until the
  node or its broker says so again, and so is every connection while nobody listens.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from archipel_contract.link.messages import LinkPlan
from archipel_contract.status import LinkMode
from archipel_fleet.records import Contact, ContactState

HOUR = 3_600_000
# Twice and a half: two heartbeats in a row may be lost on a bad link, and one may be late.
ALWAYS_ON_GRACE = 2.5
# A dialled call may be delayed by half its period: jitter, a busy modem, a second try.
DIAL_IN_GRACE = 1.5
# A lost connection of an always-on node is up again well within this, unless something is wrong; milliseconds.
RECONNECT_GRACE = 90_000
# A node that dials in may keep its line in silence until the next call. That such a line stands is known of it only
# shortly after a word: a way that forgot it tells nobody, and brokers give it up after twice a period. Milliseconds.
CALL_GRACE = 90_000
# The controller notes every few seconds that it listens; a note older than this means that it does not. Milliseconds.
LISTENING_SLACK = 60_000
# A plan says nothing sensible beyond ten years; seconds.
LONGEST = 10 * 366 * 86_400
# No expectation at all (courier only): further away than any silence.
NEVER_DUE = 1 << 60


@dataclass(frozen=True, slots=True)
class Pulse:
    """What contact is judged by; milliseconds by the controller's clock, None where it does not apply."""

    heard: int | None = None
    """The last word of the node itself; never heard if None."""
    touch: int | None = None
    """A connection stands, and is believed until this moment; None: none is known to stand."""
    calm: int | None = None
    """It hung up, or is silent between two calls, and its next word is expected by then; None while it is connected for
    good, or while nobody knows whether it is."""
    owed: int | None = None
    """From then on silence is a fact: a whole grace has been listened through."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of one node's contact before it is put in relation to listening."""

    plan: LinkPlan
    heard: int | None
    connected: bool
    lost: int | None = None
    """When its connection ended, if the last thing known of it is that it ended."""
    confirmed: int | None = None
    """When the connection was last confirmed, by the node or by its broker's retained copy."""


def grace(plan: LinkPlan) -> int:
    """Return for how long silence after a word is as planned, in milliseconds."""
    if plan.mode is LinkMode.OFF:
        return NEVER_DUE
    factor = DIAL_IN_GRACE if plan.mode is LinkMode.DIAL_IN else ALWAYS_ON_GRACE
    return int(max(1, min(plan.every, LONGEST)) * 1000 * factor)


def pulse(known: Heard, listening_since: int | None) -> Pulse:
    """Return the pulse of a node that is being listened to since `listening_since` (None: since its last word)."""
    if known.heard is None:
        return Pulse()
    patience = grace(known.plan)
    due = known.heard + patience
    dials = known.plan.mode in (LinkMode.DIAL_IN, LinkMode.OFF)
    if not dials and not known.connected and known.lost is not None:
        due = min(due, known.lost + min(RECONNECT_GRACE, known.plan.every * 1000))
    since = listening_since if listening_since is not None else known.heard
    owed = max(due, since + patience) if since > known.heard else due
    confirmed = max(known.heard, known.confirmed or 0) >= since
    believed = min(owed, known.heard + CALL_GRACE) if dials else owed
    return Pulse(
        heard=known.heard,
        touch=believed if known.connected and confirmed else None,
        calm=None if known.connected and not dials else due,
        owed=owed,
    )


def resumed(before: Pulse, patience: int, ended: int, since: int) -> Pulse:
    """Return the pulse when a new stretch of listening begins at `since`, the one before having ended at `ended`.

    Who was overdue by then stays so; everybody else gets a whole grace (`patience`, milliseconds). Times ahead of `since`
    (the controller's clock was set back) are drawn back to it.
    """
    if before.heard is None or before.owed is None:
        return Pulse()
    heard = min(before.heard, since)
    calm = None if before.calm is None else min(before.calm, since + patience)
    if before.owed <= ended and before.owed <= since:
        return Pulse(heard=heard, calm=calm, owed=before.owed)
    return Pulse(heard=heard, calm=calm, owed=max(min(before.owed, since), since + patience))


def best(pulses: Iterable[Pulse]) -> Pulse:
    """Return the pulse of a site from those of the nodes that speak for it: as good as the best of them."""
    found = list(pulses)
    return Pulse(
        heard=_latest(one.heard for one in found),
        touch=_latest(one.touch for one in found),
        calm=_latest(one.calm for one in found),
        owed=_latest(one.owed for one in found),
    )


def _latest(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


def judge(one: Pulse, listened: int | None, now: int) -> ContactState:
    """Return the contact at `now`, when the controller last noted at `listened` that it listens (None: it never did)."""
    if one.heard is None or one.owed is None:
        return ContactState.NEVER
    audible = -1 if listened is None else listened + LISTENING_SLACK
    if one.touch is not None and now <= one.touch and now <= audible:
        return ContactState.CONNECTED
    if one.calm is not None and now <= one.calm:
        return ContactState.QUIET
    if now > one.owed and one.owed <= audible:
        return ContactState.OVERDUE
    return ContactState.UNKNOWN


def contact(
    one: Pulse, mode: LinkMode, known: tuple[ContactState, int | None], listened: int | None, now: int
) -> Contact:
    """Return the contact as it is shown; `known` is the state that was last written down, and since when."""
    state = judge(one, listened, now)
    since = known[1] if state is known[0] else changed_at(one, state, listened, now)
    due = max((at for at in (one.touch, one.calm) if at is not None), default=one.owed)
    return Contact(
        state=state,
        since=since,
        last_heard=one.heard,
        due=None if due is None or due >= NEVER_DUE else due,
        mode=mode,
    )


def changed_at(one: Pulse, state: ContactState, listened: int | None, now: int) -> int:
    """Return when time alone brought the pulse into `state`: the moment it became overdue, or nobody listened any more."""
    if state is ContactState.OVERDUE and one.owed is not None:
        return min(one.owed, now)
    if state is ContactState.QUIET and one.touch is not None:
        return min(one.touch, now)
    if state is ContactState.UNKNOWN:
        ends = [at for at in (listened, one.calm) if at is not None and at <= now]
        return max(ends, default=now)
    return now
