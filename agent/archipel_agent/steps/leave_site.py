"""The steps of `leave`: an adopted k3s is given back as it was; it runs on, and nothing of ours is left in it."""

from archipel_agent.k3s.by_hand import marker
from archipel_agent.steps import firewall, host, kernel, removing
from archipel_agent.steps.adopt_common import back_at_boot
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.start import RESTART_FLAG
from archipel_contract.catalogue import finding

OF_THE_SITE = ("token", "agent_token", "stood_before", "was_stopped", "healing", "healing_stopped")


def check(context: Context) -> str | None:
    """Refuse where there is no adopted site; one that a cut-off `leave` has given back already is."""
    site = context.store.site() or context.store.site("desired")
    if site is None and _was_begun(context):
        return "given back"
    if site is None:
        raise StepFailed(finding("not-set-up"), refused=True)
    if not site.adopted:
        raise StepFailed(finding("leave-own-site"), refused=True)
    return None


def _was_begun(context: Context) -> bool:
    return bool(context.job) and any(step == FORGET.slug for step, _, _ in context.store.journal(context.job))


def look(context: Context) -> str:
    """Name what is given back."""
    site = context.store.site() or context.store.site("desired")
    assert site is not None  # check covers the other case
    return f"site {site.name}, {site.k3s.version}, which runs on"


def settings_back(context: Context) -> str:
    """Give kernel, machine and boot what they had before."""
    kernel.restore(context)
    back_at_boot(context)
    return host.restore(context)


def forget(context: Context) -> str:
    """Forget the site: from here on this machine has a k3s that is not ours."""
    store = context.store
    store.keep_sites({"current": None, "desired": None, "rollback": None})
    store.keep(**dict.fromkeys((*OF_THE_SITE, RESTART_FLAG)))
    context.ports.disk.remove(marker(context.paths))
    context.ports.kube.close()
    return "k3s is as it was before it was adopted; the agent stays, and looks after nothing"


LOOK = Step(slug="leave-look", title="Look at what is given back", check=check, run=look, changes=False)
SETTINGS = Step(slug="leave-settings", title="Give the machine its settings back", run=settings_back)
FORGET = Step(slug="leave-forget", title="Forget the site", run=forget)
LEAVE = (LOOK, firewall.AWAY, removing.FORGET, SETTINGS, FORGET)
