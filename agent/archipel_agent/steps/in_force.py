"""Put the site document in force: from here on this machine is that site, also after a reboot."""

from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.settle import WAS_STOPPED


def check(context: Context) -> str | None:
    """Nothing to do when the document in force is the desired one."""
    if context.store.value(WAS_STOPPED):
        return None
    desired = context.store.site("desired")
    return "in force" if desired is None or desired == context.store.site() else None


def run(context: Context) -> str:
    """Promote the desired document; the one before becomes the way back."""
    before, desired = context.store.site(), context.store.site("desired")
    assert desired is not None  # check covers the other case
    if before is not None:
        context.store.keep_site(before, "rollback")
    context.store.keep_site(desired)
    context.store.keep(**{WAS_STOPPED: None})
    return f"site {desired.name}, generation {desired.generation}"


STEP = Step(slug="in-force", title="Put the site in force", check=check, run=run)
