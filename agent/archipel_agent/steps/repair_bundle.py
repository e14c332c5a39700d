"""Remove the programs k3s has unpacked where they are damaged; its next start unpacks them anew from the one k3s file.

Pods run on meanwhile: a program that runs needs its file no more. The cluster's data is not in these directories.
"""

from pathlib import Path

from archipel_agent.k3s.unpacked import broken_programs, unpacked
from archipel_agent.steps import repair_aside
from archipel_agent.steps.base import Context, Step


def damaged(context: Context) -> tuple[Path, ...]:
    """Return the directories that are not as k3s unpacked them."""
    disk = context.ports.disk
    return tuple(one for one in unpacked(disk, context.paths) if broken_programs(disk, one))


def check(context: Context) -> str | None:
    """Nothing to do when all of them are whole."""
    return None if damaged(context) else "every unpacked program is as k3s listed it"


def run(context: Context) -> str:
    """Stop k3s and remove what is damaged; cut in between, the start comes all the same."""
    found = damaged(context)
    repair_aside.stop_k3s(context, STEP.slug)
    for directory in found:
        context.ports.disk.remove_tree(directory)
    return f"removed {_named(found)}; k3s unpacks it anew"


def _named(directories: tuple[Path, ...]) -> str:
    return ", ".join(f"data/{one.name[:12]}..." for one in directories)


def foresee(context: Context) -> str:
    """Say which."""
    return _named(damaged(context))


STEP = Step(
    slug="unpack-anew",
    title="Remove the damaged programs of k3s",
    check=check,
    run=run,
    foresee=foresee,
)
