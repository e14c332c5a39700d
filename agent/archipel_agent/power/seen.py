"""What `power.watch` and `power.watchdog` found, for the checks: values only."""

from dataclasses import dataclass

NOT_ASKED = "it has not been asked yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsSeen:
    """How the UPS stands. Equal values call for the same words, so that a turn need not be taken again."""

    name: str = ""  # as the setting has it; empty where none is set
    supply: str = ""
    charge: str = ""  # in tens of percent, in words
    problem: str = ""  # why nothing is known
    battery_worn: bool = False
    shutting_down: bool = False  # announced or ordered
    failed: str = ""  # why the order to shut down came to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogSeen:
    """The hardware watchdog as the kernel shows it."""

    present: bool = False
    asked_for: bool = False  # our drop-in is there
    state: str = ""  # active or inactive; empty where the kernel does not tell
    timeout: int | None = None  # seconds
