"""When to restart k3s so that it renews its certificates, well before they end. Pure but for the store.

k3s renews at a start what has less than 120 days left (DefaultCertificateRenewDays), and at no other time. A restart leaves
the pods running. It takes place in a window of local time that the site sets; each node has a few minutes of its own in it,
so that the nodes of a site do not restart together. There are more than a hundred nights for it: a node that misses its
minutes, because it was off or a job ran, waits for the next night.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from archipel_agent.state.store import Store

RENEWED_BELOW = timedelta(days=120)
AT_ONCE_BELOW = timedelta(hours=26)  # the next night would be too late
OWN_MINUTES = 5
KEPT_AS = "certificates"  # in the state
DAY_MINUTES = 24 * 60
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class WindowInvalid(ValueError):
    """A text is no window; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of each day, from `start` (since midnight, local time) on for `length`."""

    start: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of certificates across power cuts."""

    until: str = ""  # when the first of them ends, as last seen
    life: float | None = None  # seconds they had left when they were seen to be new; None before that
    restarted_for: str = ""  # the `until` for which k3s was restarted
    restarted_run: str = ""  # which run of k3s was ended for it

    def text(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))


def window(text: str) -> Window | None:
    """Return the window a text such as `02:00-04:00` means, None for an empty one; raise WindowInvalid."""
    if not text:
        return None
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise WindowInvalid(f'a window is written like "02:00-04:00", not {text[:40]!r}')
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise WindowInvalid("a window does not end when it begins")
    return Window(start, (end - start) % DAY_MINUTES)


def remembered(text: str | None) -> Memory:
    """Return what was remembered."""
    return Memory(**json.loads(text)) if text else Memory()


def seen(memory: Memory, until: datetime, now: datetime) -> Memory:
    """Return the memory after a look at the certificates; the same one where nothing has changed."""
    said = until.isoformat()
    if said == memory.until:
        return memory
    is_renewed = bool(memory.until) and until > datetime.fromisoformat(memory.until)
    life = (until - now).total_seconds() if is_renewed else memory.life
    return Memory(
        until=said, life=life, restarted_for=memory.restarted_for, restarted_run=memory.restarted_run
    )


def is_wanted(memory: Memory, until: datetime, now: datetime) -> bool:
    """Whether a restart would renew them and is worth it. Of those that live less than a year, in their last third."""
    left = until - now
    third = RENEWED_BELOW if memory.life is None else timedelta(seconds=memory.life / 3)
    return left < max(min(RENEWED_BELOW, third), AT_ONCE_BELOW)


def was_tried(memory: Memory, until: datetime, run: str) -> bool:
    """Whether k3s was restarted for just these certificates: what did not help once does not help the next night."""
    return memory.restarted_for == until.isoformat() and memory.restarted_run != run


def tried(memory: Memory, until: datetime, run: str) -> Memory:
    """Return the memory to be kept before k3s is restarted; `run` names the run that ends, which a cut may leave running."""
    return Memory(until=memory.until, life=memory.life, restarted_for=until.isoformat(), restarted_run=run)


def own_minute(span: Window, node_id: str, nodes: tuple[str, ...]) -> int:
    """Return the minute of the day at which this node's time begins; `nodes` are the ids of all nodes of the site."""
    fair = sorted({node_id, *nodes})
    share = span.length / len(fair)
    room = max(1, int(share) - OWN_MINUTES)
    draw = int.from_bytes(hashlib.sha256(node_id.encode()).digest()[:4], "big") % room
    return (span.start + int(share * fair.index(node_id)) + draw) % DAY_MINUTES


def is_time(span: Window, node_id: str, nodes: tuple[str, ...], local: datetime) -> bool:
    """Whether this node's minutes are now; `local` is the local time."""
    since = (local.hour * 60 + local.minute - own_minute(span, node_id, nodes)) % DAY_MINUTES
    return since < min(OWN_MINUTES, span.length)


def next_time(span: Window, node_id: str, nodes: tuple[str, ...], local: datetime) -> datetime:
    """Return when this node's minutes begin next, in the zone of `local`."""
    begins = own_minute(span, node_id, nodes)
    today = local.replace(hour=begins // 60, minute=begins % 60, second=0, microsecond=0)
    return today if today > local else today + timedelta(days=1)


def note(store: Store, until: datetime, now: datetime) -> Memory:
    """Return the memory after a look at the certificates, kept if it has changed."""
    before = remembered(store.value(KEPT_AS))
    after = seen(before, until, now)
    if after != before:
        store.keep(**{KEPT_AS: after.text()})
    return after


def note_restart(store: Store, until: datetime, run: str) -> None:
    """Keep, before k3s is restarted, for which certificates: no power cut may make a habit of it. Raises StateUnusable."""
    store.keep(**{KEPT_AS: tried(remembered(store.value(KEPT_AS)), until, run).text()})
