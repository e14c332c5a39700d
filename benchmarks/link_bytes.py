"""How many bytes a day an idle node puts on its line, in both link modes, headers of IP and TCP included."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from archipel_agent.settings import Settings
from benchmarks.figure import Figure
from benchmarks.ground import Ground, tell
from benchmarks.linked import Linked, Seen

DAY = 86_400
KB = 1000
POINT_SECONDS = 3  # between two points, instead of five minutes
SETTLING_POINTS = 5  # after which a connection has said all it has to say
CALL_SECONDS = 36  # between two calls, instead of an hour: twelve points as there
WHERE = (
    "rehearsed agent, mosquitto and the real controller, uncompressed IPv4 on a loopback of its own with packets of at most "
    "1,500 bytes; bytes of IP packets in both directions as the interface counts them, no other traffic on it"
)


def always_on(ground: Ground) -> Figure:
    """Measure points and one connection; raise Skipped."""
    count = 20 if ground.quick else 60
    with _linked("--metrics-every", str(POINT_SECONDS), "--interval", "1") as linked:
        tell(f"{count} points over a link that is always on")
        linked.quiet(_points, 2, 60)
        before = linked.quiet(_points, 1, 60)
        after = linked.quiet(_points, count, 60 + 2 * count * POINT_SECONDS)
        point = (after.bytes - before.bytes) / (after.metrics - before.metrics)
        whole, again = _start(linked, point), _reconnection(linked, point)
    points = DAY / Settings().metrics_every
    day = points * point + whole
    return Figure(
        name="link-bytes",
        title="bytes a day of an idle node, always on, metrics every 5 minutes",
        unit="kB",
        values=(day / KB,),
        bound=150.0,
        method=(
            f"{points:.0f} points of {point:.0f} bytes, each with its acknowledgements, and one start of the agent with its "
            f"whole state; the mean of {after.metrics - before.metrics} points {POINT_SECONDS} s apart (as large as those 5 "
            f"minutes apart; the keepalive is longer than either, so there are no pings). {WHERE}."
        ),
        details=(
            f"a start of the agent with hello, events and the whole state {whole:.0f} bytes; every reconnection {again:.0f}",
            f"{(after.packets - before.packets) / (after.metrics - before.metrics):.1f} packets a point",
        ),
    )


def dial_in(ground: Ground) -> Figure:
    """Measure whole calls; raise Skipped."""
    count = 3 if ground.quick else 8
    options = ("--link-mode", "dial-in", "--link-every", str(CALL_SECONDS))
    with _linked(*options, "--metrics-every", str(POINT_SECONDS), "--interval", "1") as linked:
        tell(f"{count} calls of a node that dials in")
        before = linked.quiet(_calls, 2, 10 * CALL_SECONDS)
        after = linked.quiet(_calls, count, (count + 3) * 2 * CALL_SECONDS)
    call = (after.bytes - before.bytes) / (after.calls - before.calls)
    calls = DAY / Settings().link_every
    return Figure(
        name="link-bytes-dial-in",
        title="bytes a day of an idle node that dials in every hour, with its samples of the hour",
        unit="kB",
        values=(calls * call / KB,),
        bound=50.0,
        method=(
            f"{calls:.0f} calls of {call:.0f} bytes, from the first packet to the last; the mean of "
            f"{after.calls - before.calls} calls {CALL_SECONDS} s apart with points every {POINT_SECONDS} s, so twelve "
            f"in each call as in an hour's; a point that falls into a call has a message of its own, here more often than "
            f"within an hour. {WHERE}."
        ),
        details=(
            f"{(after.packets - before.packets) / (after.calls - before.calls):.1f} packets a call, "
            f"{(after.metrics - before.metrics) / (after.calls - before.calls):.1f} of them messages with samples",
        ),
    )


def _start(linked: Linked, point: float) -> float:
    """Return what a start of the agent costs, without the points that were sent meanwhile."""
    before = linked.seen()
    linked.restart_agent()
    after = linked.quiet(_points, SETTLING_POINTS, 120)
    return without_points(before, after, point)


def _reconnection(linked: Linked, point: float) -> float:
    """Return what it costs to come back to a broker that was started again."""
    before = linked.seen()
    linked.restart_broker()
    linked.quiet(_connects, 1, 120)
    after = linked.quiet(_points, SETTLING_POINTS, 120)
    return without_points(before, after, point)


def without_points(before: Seen, after: Seen, point: float) -> float:
    """Return the bytes between two moments, less those of the points that were sent meanwhile."""
    return after.bytes - before.bytes - (after.metrics - before.metrics) * point


def _points(seen: Seen) -> int:
    return seen.metrics


def _connects(seen: Seen) -> int:
    return seen.connects


def _calls(seen: Seen) -> int:
    return seen.calls


@contextlib.contextmanager
def _linked(*options: str) -> Iterator[Linked]:
    with (
        tempfile.TemporaryDirectory(prefix="archipel-link-") as place,
        Linked(Path(place), *options) as linked,
    ):
        yield linked
