"""How much memory the agent holds."""

from benchmarks.figure import Figure
from benchmarks.ground import Ground
from benchmarks.idle import closer_look, idle

KIB_IN_MIB = 1024


def measure(ground: Ground) -> Figure:
    """Read it at the end of the idle window; raise Skipped."""
    window = idle(ground)
    held = window.seen["memory_kib"]
    peaks = sorted(closer_look(ground).peaks_kib.items())
    listed = ", ".join(f"{name} {peak / KIB_IN_MIB:.1f}" for name, peak in peaks)
    return Figure(
        name="idle-memory",
        title="resident memory of the agent's main process, local API included",
        unit="MiB",
        values=(held["VmRSS"] / KIB_IN_MIB,),
        bound=38.0,
        method=f"VmRSS of /proc/PID/status after `archipel up` and idling; {window.where}.",
        details=(
            f"anonymous {held['RssAnon'] / KIB_IN_MIB:.1f} MiB, the most ever {held['VmHWM'] / KIB_IN_MIB:.1f} MiB, "
            f"{window.seen['threads']} threads",
            f"helpers of a closer look, which end at once, peak MiB as seen every 2 ms: {listed or 'none seen'}",
        ),
    )
