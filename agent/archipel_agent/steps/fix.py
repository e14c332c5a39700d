"""Repairs the agent can do itself, by the code of the finding; the doctor offers them, `archipel doctor --fix CODE` runs
them."""

from collections.abc import Mapping

from archipel_agent.steps import (
    certificates,
    empty_files,
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


def refuse(context: Context) -> str:
    """Say that there is nothing the agent can do by itself."""
    raise StepFailed(finding("no-fix", finding=context.options.code), refused=True)


NO_REPAIR = Step(slug="no-repair", title="Look for a repair", run=refuse)
