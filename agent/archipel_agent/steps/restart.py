"""Have k3s started again although it runs: the beginning of the job `restart`; `start` then does it. Pods go on."""

from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.start import RESTART_FLAG
from archipel_contract.catalogue import finding
from archipel_contract.site import Desired


def check(context: Context) -> str | None:
    """Refuse where there is no k3s of ours that should run."""
    site = context.store.site()
    if site is None or site.desired is Desired.STOPPED:
        raise StepFailed(finding("not-set-up"), refused=True)
    return None


def run(context: Context) -> str:
    """Write it down: cut off anywhere, the job ends with a k3s that was started again."""
    context.store.keep(**{RESTART_FLAG: "yes"})
    return "written down"


def undo(context: Context) -> None:
    """Take the wish back; a k3s that was ended already is started by the next turn."""
    context.store.keep(**{RESTART_FLAG: None})


STEP = Step(slug="restart", title="Write down that Kubernetes starts again", check=check, run=run, undo=undo)
