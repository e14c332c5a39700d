"""The local veto: what a site's settings let nobody order from afar. Pure; called by `compose`."""

from archipel_agent.settings import REMOTE_VERBS, Settings
from archipel_contract.commands import Action

OFFERED = tuple(Action(verb) for verb in REMOTE_VERBS)


def vetoed(settings: Settings) -> frozenset[Action]:
    """Return the actions that are refused on this site."""
    if settings.remote != "on":
        return frozenset(OFFERED)
    allowed = {word.strip() for word in settings.remote_verbs.split(",")}
    return frozenset(one for one in OFFERED if one.value not in allowed)
