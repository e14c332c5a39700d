"""How soon `archipel status` answers."""

from benchmarks.command_times import measured
from benchmarks.figure import Figure
from benchmarks.ground import Ground


def measure(ground: Ground) -> Figure:
    """Measure; raise Skipped."""
    return measured(ground, "status-time", ["archipel", "status"], 300.0)
