"""Have k3s started again although it runs: the beginning of the job `restart`; `start` then does it. Pods go on."""

from archipel_agent.steps.adopt_common import refuse_by_hand
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.start import RESTART_FLAG, instead_of
from archipel_contract.catalogue import finding
from archipel_contract.site import Desired


def check(context: Context) -> str | None:
    """Refuse where there is no k3s of ours that should run."""
    site = context.store.site()
    if site is None or site.desired is Desired.STOPPED:
        raise StepFailed(finding("not-set-up"), refused=True)
    refuse_by_hand(context)
    # Every step of a job that was cut off is asked again: what is written down already must not ask for another restart.
    journal = context.store.journal(context.job) if context.job else ()
    return "written down" if any(line[:2] == (STEP.slug, "done") for line in journal) else None


def run(context: Context) -> str:
    """Write it down, with the process that is to end: cut off anywhere, the job ends with a k3s started again, once."""
    context.store.keep(**{RESTART_FLAG: instead_of(context.ports.k3s.status())})
    return "written down"


def undo(context: Context) -> None:
    """Take the wish back; a k3s that was ended already is started by the next turn."""
    context.store.keep(**{RESTART_FLAG: None})


STEP = Step(slug="restart", title="Write down that Kubernetes starts again", check=check, run=run, undo=undo)
