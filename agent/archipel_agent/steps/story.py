"""The story of each job: its steps in order, readable from top to bottom."""

from archipel_agent.steps import (
    empty_files,
    fix,
    get_k3s,
    goodbye,
    identity,
    images,
    in_force,
    kernel,
    preflight,
    removing,
    restart,
    service,
    settle,
    start,
    stopping,
    support_bundle,
    wait_api,
    wait_node,
    wait_pods,
    write_config,
)
from archipel_agent.steps.base import Step
from archipel_agent.steps.options import Options
from archipel_contract.jobs import Verb

UP = (
    preflight.STEP,
    settle.STEP,
    get_k3s.STEP,
    kernel.STEP,
    images.STEP,
    write_config.STEP,
    service.STEP,
    empty_files.STEP,
    start.STEP,
    wait_api.STEP,
    wait_node.STEP,
    wait_pods.STEP,
    identity.STEP,
    in_force.STEP,
)
DOWN = (stopping.WANT, stopping.STOP, stopping.PODS)
REMOVE = (
    removing.FORGET,
    removing.STOP,
    removing.PODS,
    removing.KERNEL,
    removing.BINARY,
    removing.DATA,
    goodbye.STEP,
)
RESTART = (restart.STEP, start.STEP, wait_api.STEP, wait_node.STEP)


def story(verb: Verb, options: Options) -> tuple[Step, ...]:
    """Return the steps of a job."""
    match verb:
        case Verb.UP:
            return UP
        case Verb.DOWN:
            return DOWN
        case Verb.REMOVE:
            return REMOVE
        case Verb.RESTART:
            return RESTART
        case Verb.SUPPORT:
            return (support_bundle.STEP,)
        case Verb.FIX:
            return fix.REPAIRS.get(options.code, (fix.NO_REPAIR,))
