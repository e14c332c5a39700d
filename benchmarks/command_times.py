"""How soon the commands answer that people type most."""

from benchmarks.figure import Figure
from benchmarks.ground import Ground, guest_python, in_guest

RUNS = 10
MILLISECONDS = 1000


def measured(ground: Ground, name: str, argv: list[str], bound: float) -> Figure:
    """Run a command in the host with a site; raise Skipped."""
    host = ground.site()
    seen = in_guest(host, "times", str(RUNS), *argv)
    if seen["code"] != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with code {seen['code']}")
    return Figure(
        name=name,
        title=f"`{' '.join(argv)}`",
        unit="ms",
        values=tuple(one * MILLISECONDS for one in seen["seconds"]),
        bound=bound,
        is_strict=True,
        method=(
            f"wall clock from start to end of the process, {RUNS} runs after one that is not counted, in a booted Debian "
            f"host ({guest_python(host)}) beside a living agent and a running k3s."
        ),
    )
