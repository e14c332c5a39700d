"""How long the checks before a site is made take."""

from benchmarks.figure import Figure
from benchmarks.ground import Ground, fresh_host, in_guest

RUNS = 10


def measure(ground: Ground) -> Figure:
    """Measure on a bare booted host; raise Skipped."""
    with fresh_host(product=True) as host:
        seen = in_guest(host, "times", str(RUNS), "archipel", "up", "--plan", "--json")
    return Figure(
        name="preflight",
        title="preflight: every check before anything is changed",
        unit="s",
        values=tuple(seen["seconds"]),
        bound=3.0,
        is_strict=True,
        method=(
            f"`archipel up --plan` in a bare booted host with k3s on PATH, {RUNS} runs, from start to end of the command; "
            "it asks the agent, which runs all preflight checks and asks each step what it would do."
        ),
    )
