"""Have k3s unpack itself while the rest is prepared: its first start is shorter by that, on a slow card by many seconds.

What lies there from a start that was cut off is looked at first: k3s believes for ever
what it did not fsync.
"""

from pathlib import Path

from archipel_agent.k3s.unpacked import unpacked
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.repair_bundle import damaged
from archipel_agent.steps.settle import clear
from archipel_agent.steps.start import RUNNING


def check(context: Context) -> str | None:
    """Nothing to do but before a first start: afterwards it is done, and a repair looks after it."""
    if context.store.site() is not None:
        return "done before"
    if context.ports.k3s.status().state in RUNNING:
        return "k3s runs"
    is_there = bool(unpacked(context.ports.disk, context.paths))
    return "done already" if is_there and not damaged(context) else None


def run(context: Context) -> str:
    """Begin; nobody waits for the end but k3s itself, by a lock of its own."""
    for directory in damaged(context):
        context.ports.disk.remove_tree(directory)
    begun = context.ports.k3s.unpack(Path(context.site().k3s.path))
    return "goes on beside the rest" if begun else "left to its start"


def undo(context: Context) -> None:
    """Take it away again from a site that never came into force."""
    if context.store.site() is None:
        context.ports.k3s.stop()
        clear(context, context.paths.k3s_data)


STEP = Step(slug="unpack", title="Have k3s unpack itself", check=check, run=run, undo=undo)
