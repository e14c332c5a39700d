"""Have k3s make its own certificates anew: those that have ended, that begin in the future, or that a restart has kept.

`k3s certificate rotate` works on a k3s that is stopped: it puts certificates and keys aside, in a directory of their own
beside them, and the next start makes new ones from the authorities, which stay. Pods run on meanwhile.
"""

from archipel_agent.k3s.certificates import certificates, first_to_end
from archipel_agent.ports import CommandFailed
from archipel_agent.steps import waiting
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.start import RESTART_FLAG
from archipel_contract.catalogue import finding

TIMEOUT_SECONDS = 60.0


def run(context: Context) -> str:
    """Stop k3s and have them put aside. Cut in between, the start comes all the same: it is asked for first."""
    context.store.keep(**{RESTART_FLAG: "yes"})
    try:
        context.ports.k3s.stop()
        argv = [context.site().k3s.path, "certificate", "rotate", "--data-dir", str(context.paths.k3s_data)]
        context.ports.runner.run(argv, timeout=TIMEOUT_SECONDS)
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step=STEP.slug, problem=str(error))) from error
    return "the old ones are put aside; k3s makes new ones at its start"


def undo(context: Context) -> None:
    """Start k3s again; it makes what is not there."""
    waiting.start(context)
    context.store.keep(**{RESTART_FLAG: None})


def ask_for_restart(context: Context) -> str:
    """Have k3s started again."""
    context.store.keep(**{RESTART_FLAG: "yes"})
    first = first_to_end(certificates(context.ports.disk, context.paths))
    return f"until now the first ends on {first.ends:%Y-%m-%d}" if first else "k3s is to be started again"


def forget_restart(context: Context) -> None:
    """Take the wish back."""
    context.store.keep(**{RESTART_FLAG: None})


STEP = Step(slug="new-certificates", title="Have k3s make new certificates", run=run, undo=undo)
RESTART = Step(
    slug="renew-certificates",
    title="Have k3s renew its certificates",
    run=ask_for_restart,
    undo=forget_restart,
)
