"""How much the idle agent writes to the disk in a day."""

import json

from benchmarks.figure import Figure, per_day
from benchmarks.ground import PLACE, Ground
from benchmarks.idle import idle

MEGABYTE = 1_000_000
FACTS_KEPT_IN_A_DAY = 24  # the floor of time, once an hour while the clock is disciplined


def measure(ground: Ground) -> Figure:
    """Read it from the idle window and add what happens once an hour; raise Skipped."""
    window = idle(ground)
    seen = per_day(window.seen["write_bytes"], window.seconds)
    host = ground.site()
    done = host.run(["/opt/archipel/current/bin/python", f"{PLACE}/one_write.py"]).ok()
    each = float(json.loads(done.stdout)["bytes"])
    hourly = each * FACTS_KEPT_IN_A_DAY
    return Figure(
        name="idle-writes",
        title="bytes the idle agent writes to disk in a day",
        unit="MB",
        values=((seen + hourly) / MEGABYTE,),
        bound=5.0,
        method=(
            f"write_bytes of /proc/PID/io, helpers included, extrapolated to a day; {window.where}. Added is what a window "
            "does not show: the time floor, kept once an hour, at the bytes that one such commit was measured to cost."
        ),
        details=(
            f"{window.seen['write_bytes']} bytes in the window; {each:.0f} for each commit, {FACTS_KEPT_IN_A_DAY} a day",
        ),
    )
