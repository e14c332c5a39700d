"""What every step must know of an adopted k3s: its unit, its settings and its kernel are not ours to write.

`hands_off` makes a step do nothing on an adopted site, `refused` makes it refuse the job before anything is changed.
"""

from dataclasses import replace

from archipel_agent.k3s.by_hand import marker
from archipel_agent.k3s.unit import UNIT
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

NOT_AT_BOOT = "adopted_not_at_boot"  # kept while `down` has an adopted k3s not started at boot


def is_adopted(context: Context) -> bool:
    """Whether the site of this machine was adopted."""
    site = context.store.site("desired") or context.store.site()
    return site is not None and site.adopted


def hands_off(step: Step) -> Step:
    """Return the step so that there is nothing to do on an adopted site, on no account."""

    def check(context: Context) -> str | None:
        return "adopted: stays as it is" if is_adopted(context) else step.check(context)

    def undo(context: Context) -> None:
        if not is_adopted(context):
            step.undo(context)

    return replace(step, check=check, undo=undo)


def refused(step: Step) -> Step:
    """Return the step so that on an adopted site its job is refused before anything is changed."""

    def check(context: Context) -> str | None:
        refuse(context, step.title)
        return step.check(context)

    return replace(step, check=check)


def refuse(context: Context, what: str) -> None:
    """Raise StepFailed on an adopted site: this would change what is not ours."""
    if is_adopted(context):
        raise StepFailed(not_ours(what), refused=True)


def not_ours(what: str) -> Finding:
    """Return the finding that says so."""
    return finding("adopted-not-ours", what=what)


def is_by_hand(context: Context) -> bool:
    """Whether the adopted k3s is one that somebody started by hand."""
    return context.ports.disk.exists(marker(context.paths))


def refuse_by_hand(context: Context) -> None:
    """Raise StepFailed where k3s is to be started or ended, and only whoever started it by hand can do that."""
    if is_by_hand(context):
        raise StepFailed(finding("adopted-by-hand"), refused=True)


def keep_from_boot(context: Context) -> None:
    """Have an adopted k3s not started at boot; its unit stays."""
    link = context.paths.units / "multi-user.target.wants" / UNIT
    if context.ports.disk.exists(link):
        context.store.keep(**{NOT_AT_BOOT: "yes"})
        context.ports.disk.remove(link)


def is_kept_from_boot(context: Context) -> bool:
    """Whether that is so because of us."""
    return context.store.value(NOT_AT_BOOT) is not None


def back_at_boot(context: Context) -> None:
    """Have it started at boot again, if it was we who ended that."""
    if is_kept_from_boot(context):
        wants = context.paths.units / "multi-user.target.wants"
        context.ports.disk.link(context.paths.k3s_unit, wants / UNIT)
        context.store.keep(**{NOT_AT_BOOT: None})
