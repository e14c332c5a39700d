"""Make k3s a service that comes back after every reboot with nobody typing."""

from pathlib import Path

from archipel_agent.k3s.unit import k3s_unit
from archipel_agent.ports import CommandFailed, UnitSpec
from archipel_agent.steps import start
from archipel_agent.steps.adopt_common import back_at_boot, is_adopted, is_kept_from_boot
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding


def wanted(context: Context) -> UnitSpec:
    """Return how the site's k3s is run."""
    return k3s_unit(Path(context.site().k3s.path), context.paths.k3s_config)


def check(context: Context) -> str | None:
    """Nothing to do when the service is installed exactly so; an adopted one stays as it is, but for what `down` took."""
    if is_adopted(context):
        return None if is_kept_from_boot(context) else "adopted: stays as it is"
    return "installed already" if context.ports.k3s.service_installed(wanted(context)) else None


def run(context: Context) -> str:
    """Install the service; nothing is started."""
    if is_adopted(context):
        back_at_boot(context)
        return "adopted: starts at boot again"
    try:
        context.ports.k3s.install_service(wanted(context))
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="service", problem=str(error))) from error
    return f"starts at boot, kept by {context.ports.k3s.status().kept_by or 'this machine'}"


def verify(context: Context) -> None:
    """Look whether it is there."""
    if check(context) is None:
        raise StepFailed(
            finding("job-failed", step="service", problem="the service is not there after writing it")
        )


def undo(context: Context) -> None:
    """Forget the service of a site that never came into force, and what it did: a boot may have started it already."""
    if context.store.site() is None:
        start.undo(context)
        context.ports.k3s.remove_service()


STEP = Step(slug="service", title="Make k3s a service", check=check, run=run, verify=verify, undo=undo)
