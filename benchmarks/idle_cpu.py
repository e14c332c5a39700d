"""How much of a core the idle agent takes."""

from archipel_agent.turn import CLOSE_LOOK_WARNED_SECONDS  # an agent without any finding looks once an hour
from benchmarks.figure import Figure, percent_of_core
from benchmarks.ground import Ground
from benchmarks.idle import Idle, Look, closer_look, idle


def shares(window: Idle, look: Look) -> tuple[float, float, float]:
    """Return what turns, closer looks and children take of a core, in percent."""
    own = percent_of_core(window.seen["cpu_ns"], window.seconds)
    looks = percent_of_core(look.cpu_seconds * 1e9, CLOSE_LOOK_WARNED_SECONDS)
    return own, looks, percent_of_core(window.seen["children_ns"], window.seconds)


def measure(ground: Ground) -> Figure:
    """Read it from the idle window; raise Skipped."""
    window = idle(ground)
    seen, seconds = window.seen, window.seconds
    look = closer_look(ground)
    own, looks, children = shares(window, look)
    return Figure(
        name="idle-cpu",
        title="CPU time of the idle agent, helpers included",
        unit="% of a core",
        values=(own + children + looks,),
        bound=0.05,
        method=(
            f"nanoseconds of all its threads (/proc/PID/task/*/schedstat) plus ticks of its children (/proc/PID/stat); "
            f"{window.where}. Added is a closer look every {CLOSE_LOOK_WARNED_SECONDS / 60:.0f} min, which no window need "
            "show, at what one was measured to cost, helpers included."
        ),
        details=(
            f"turns {own:.4f} % ({seen['cpu_ns'] / 1e6 / seconds * 10:.2f} ms each), children {children:.4f} %, "
            f"closer looks {looks:.4f} % ({look.cpu_seconds * 1000:.0f} ms each)",
            f"{seen['switches'] / seconds:.2f} context switches a second",
        ),
    )
