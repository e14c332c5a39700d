"""How much of a core the idle agent takes."""

from benchmarks.figure import Figure, percent_of_core
from benchmarks.ground import Ground
from benchmarks.idle import idle


def measure(ground: Ground) -> Figure:
    """Read it from the idle window; raise Skipped."""
    window = idle(ground)
    seen, seconds = window.seen, window.seconds
    own = percent_of_core(seen["cpu_ns"], seconds)
    children = percent_of_core(seen["children_ns"], seconds)
    return Figure(
        name="idle-cpu",
        title="CPU time of the idle agent, helpers included",
        unit="% of a core",
        values=(own + children,),
        bound=0.05,
        method=(
            f"nanoseconds of all its threads (/proc/PID/task/*/schedstat) plus ticks of its children (/proc/PID/stat); "
            f"{window.where}."
        ),
        details=(
            f"the agent itself {own:.4f} %, children {children:.4f} %, "
            f"{seen['cpu_ns'] / 1e6 / seconds * 10:.2f} ms for each turn",
            f"{seen['switches'] / seconds:.2f} context switches a second",
        ),
    )
