"""States as badges: a word, a shape and a tone, so that no state is told by its colour alone.

Called by the other views. A mark is the id of a symbol in `templates/marks.svg`, a tone a class of `static/archipel.css`.
"""

from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Severity
from archipel_contract.status import Health, Truth
from archipel_fleet.records import ContactState


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """One state for the eye, the ear and print."""

    word: str
    mark: str
    tone: str


CONTACT = {
    ContactState.CONNECTED: ("dot", "good"),
    ContactState.QUIET: ("moon", "calm"),
    ContactState.OVERDUE: ("clock", "bad"),
    ContactState.NEVER: ("ring", "mute"),
    ContactState.UNKNOWN: ("question", "mute"),
}
HEALTH = {
    Health.HEALTHY: ("check", "good"),
    Health.UNHEALTHY: ("cross", "bad"),
    Health.UNKNOWN: ("question", "mute"),
    Health.NOT_SET_UP: ("ring", "mute"),
    Health.STOPPED: ("pause", "mute"),
    Health.WORKING: ("turn", "calm"),
}
SEVERITY = {
    Severity.PROBLEM: ("cross", "bad"),
    Severity.WARNING: ("triangle", "warn"),
    Severity.HINT: ("info", "calm"),
    Severity.UNKNOWN: ("triangle", "warn"),
}
TRUTH = {Truth.TRUE: ("check", "good"), Truth.FALSE: ("cross", "bad"), Truth.UNKNOWN: ("question", "mute")}


def contact(words: Words, state: ContactState) -> Badge:
    """Return the badge of a contact."""
    mark, tone = CONTACT[state]
    return Badge(word=words(f"contact.{state}"), mark=mark, tone=tone)


def health(words: Words, state: Health) -> Badge:
    """Return the badge of a health."""
    mark, tone = HEALTH[state]
    return Badge(word=words(f"health.{state}"), mark=mark, tone=tone)


def severity(words: Words, state: Severity) -> Badge:
    """Return the badge of a finding."""
    mark, tone = SEVERITY[state]
    return Badge(word=words(f"severity.{state}"), mark=mark, tone=tone)


def truth(words: Words, state: Truth) -> Badge:
    """Return the badge of a condition's status. False is bad here: conditions are named for what should be."""
    mark, tone = TRUTH[state]
    return Badge(word=words(f"truth.{state}"), mark=mark, tone=tone)


def ready(words: Words, is_ready: bool) -> Badge:
    """Return the badge of a pod that is ready, or is not."""
    mark, tone = TRUTH[Truth.TRUE if is_ready else Truth.FALSE]
    return Badge(word=words("page.yes" if is_ready else "page.no"), mark=mark, tone=tone)
