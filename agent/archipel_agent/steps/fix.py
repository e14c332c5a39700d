"""Repairs the agent can do itself, by the code of the finding, and how they are taken back.

The doctor offers them, `archipel doctor --fix CODE` runs them, `archipel doctor --undo CODE` takes back those that changed
something a person may want as it was. What each will do stands in the catalogue beside the finding (`plan`, `undo`).
"""

from collections.abc import Mapping

from archipel_agent.steps import (
    certificates,
    empty_files,
    fixing_boot_line,
    kernel,
    service,
    start,
    wait_api,
    wait_node,
    write_config,
)
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding

# k3s renews at its start what has less than 120 days left; what it would keep, it has to be told to make anew.
RENEWAL = (certificates.RESTART, start.STEP, wait_api.STEP, wait_node.STEP)
NEW_ONES = (certificates.STEP, start.STEP, wait_api.STEP, wait_node.STEP)

# finding code -> the steps that put it right; each of them is part of `up` as well and therefore safe to repeat.
REPAIRS: Mapping[str, tuple[Step, ...]] = {
    "memory-cgroup-off-pi": (fixing_boot_line.STEP,),
    "kernel-setting-wrong": (kernel.STEP, start.STEP),
    "k3s-files-empty": (empty_files.STEP, start.STEP, wait_api.STEP, wait_node.STEP),
    "k3s-stopped": (write_config.STEP, service.STEP, start.STEP),
    "k3s-stopped-silent": (write_config.STEP, service.STEP, start.STEP),
    "k3s-absent": (write_config.STEP, service.STEP, start.STEP),
    "k3s-certificates-ending": RENEWAL,
    "k3s-certificates-unplanned": RENEWAL,
    "k3s-certificates-not-renewed": NEW_ONES,
    "k3s-certificates-ended": NEW_ONES,
    "k3s-certificates-early": NEW_ONES,
}


# finding code -> the steps that take its repair back. A repair that is not here changed nothing that could be wanted back
# (it started what was stopped, or had k3s make anew what k3s makes); its sentence `undo` says so.
UNDOS: Mapping[str, tuple[Step, ...]] = {
    "memory-cgroup-off-pi": (fixing_boot_line.TAKE_BACK,),
}


def refuse(context: Context) -> str:
    """Say that there is nothing the agent can do by itself."""
    raise StepFailed(finding("no-fix", finding=context.options.code), refused=True)


def refuse_undo(context: Context) -> str:
    """Say that this repair has no way back of its own."""
    raise StepFailed(finding("no-undo", finding=context.options.code), refused=True)


NO_UNDO = Step(slug="no-undo", title="Look for the way back", run=refuse_undo)
NO_REPAIR = Step(slug="no-repair", title="Look for a repair", run=refuse)
