"""How soon `archipel --help` answers."""

from benchmarks.command_times import measured
from benchmarks.figure import Figure
from benchmarks.ground import Ground


def measure(ground: Ground) -> Figure:
    """Measure; raise Skipped."""
    return measured(ground, "help-time", ["archipel", "--help"], 150.0)
