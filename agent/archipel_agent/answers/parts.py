"""What the keeper of answers works with. `answering` makes it from the agent; tests from fakes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from archipel_agent.answers.course import Options
from archipel_agent.paths import Paths
from archipel_agent.ports import Media, Ports
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.jobs import Job, Verb
from archipel_contract.status import EnrolmentStatus


class Busy(Exception):
    """Another job runs; it is tried again."""


class OptionRefused(Exception):
    """The job does not take these options; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Ports, and the doors of the agent through which a person would come."""

    ports: Ports
    media: Media
    store: Store
    paths: Paths
    settings: Settings
    host: str
    time: Callable[[], datetime]
    """The best time there is."""
    start: Callable[[Verb, Options, str], Job]
    """Start a job by verb, options and key, or return the one of this key; raises Busy, OptionRefused, StateUnusable."""
    enrolment: Callable[[], EnrolmentStatus]
    set_clock: Callable[[datetime], str]
    """Set the clock as `archipel clock set` does; returns why it was not set, empty if it was or need not be."""
    note: Callable[[str, str, str], None]
    """Write into the audit journal: action, outcome, detail."""
    begin_again: Callable[[], None]
    """Have the agent read its settings anew."""
    restart_machine: Callable[[], None]
