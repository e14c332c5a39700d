"""How an answer file (`archipel.toml`) stands on a machine: which one is in force, what came of it, and what did not.

The agent keeps this, shows it over the local API, and writes it beside the file as `archipel-result.json`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from archipel_contract.findings import Finding

FILE = "archipel.toml"
RESULT_TEXT, RESULT_JSON = "archipel-result.txt", "archipel-result.json"


class AnswersState(StrEnum):
    """Where it stands."""

    NONE = "none"  # there is no answer file, and never was one
    WAITING = "waiting"  # for a boot partition that is not mounted yet
    REFUSED = "refused"  # the file has mistakes, or two of them differ: nothing of it was applied
    WORKING = "working"  # being applied
    DONE = "done"
    UNKNOWN = "unknown"


class Deed(StrEnum):
    """What was done with an answer file."""

    SETTINGS = "settings"
    CLOCK = "clock"
    TIME_SERVERS = "time-servers"
    TOKEN = "token"  # left where enrolment takes it
    UP = "up"
    ENROLLED = "enrolled"
    BLANKED = "blanked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One thing that was done, and when, by the best time the machine knew."""

    deed: Deed
    at: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersStatus:
    """See the module. `findings` say what was not done, and why; `values` are what the file says, secrets hidden."""

    state: AnswersState = AnswersState.NONE
    file: str = ""
    sha256: str = ""
    since: str = ""  # when it was first seen
    values: dict[str, str] = field(default_factory=dict)
    done: tuple[Done, ...] = ()
    waits_for: tuple[Deed, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersWish:
    """To apply an answer file: an absolute path on the machine."""

    path: str
