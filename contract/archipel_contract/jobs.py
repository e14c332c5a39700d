"""Jobs: long work that goes on without whoever asked for it, and can be watched from anywhere on the machine.

A job is a list of steps. Its events carry a growing sequence number, so that a client which lost the connection goes on
from the last one it saw.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from archipel_contract.adoption import Difference
from archipel_contract.facts import ClockQuality
from archipel_contract.findings import Finding


class Verb(StrEnum):
    """What a job does."""

    UP = "up"
    DOWN = "down"
    REMOVE = "remove"
    FIX = "fix"
    SUPPORT = "support"
    IMPORT = "import"  # of a bundle
    FIREWALL = "firewall"  # what may come in to the machine
    BACKUP = "backup"
    DRILL = "drill"  # a backup is restored for practice
    RESTORE = "restore"  # this machine becomes the site of a backup
    RESTART = "restart"  # k3s ends and starts again; pods go on meanwhile
    ADOPT = "adopt"  # a k3s that is here already becomes a site, untouched
    LEAVE = "leave"  # and is given back


class JobState(StrEnum):
    """Where a job stands. A job cut off by a power failure is RUNNING again after the agent's next start."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


NOTHING_CHANGED = (
    "Nothing was changed."  # begins the sentence of a job that a check refused before its first change
)


class StepState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    ALREADY = "already"  # its check found nothing to do
    FAILED = "failed"
    UNDONE = "undone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a client asks for. `key` makes a repeated request the same job; `options` are those of the verb."""

    verb: Verb
    options: dict[str, str | bool | int | list[str]] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a job, as shown to people."""

    slug: str
    title: str
    state: StepState = StepState.PENDING
    seconds: float = 0.0
    usual_seconds: float | None = None  # the median of earlier runs on this machine, None before the first
    waiting_for: str = ""
    said: str = ""  # what the step found or did, in one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with its steps. `finding` tells why it failed; `result` holds what it made (a path, a list)."""

    id: str
    verb: Verb
    state: JobState
    options: dict[str, str | bool | int | list[str]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    asked_by: str = ""
    created_at: str = ""
    finished_at: str = ""
    sentence: str = ""
    finding: Finding | None = None
    result: dict[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to this job."""
        return self.state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

    @property
    def changed_nothing(self) -> bool:
        """Whether the job failed because a check refused it before anything was changed."""
        return self.state is JobState.FAILED and self.sentence.startswith(NOTHING_CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One line of a job's stream: always the whole job (a few hundred bytes), sometimes a log line with it."""

    sequence: int
    job: Job
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """What a step would do, for `archipel up --plan`."""

    slug: str
    title: str
    needed: bool
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupContents:
    """What the beginning of a backup says of it; that the rest is whole is only known once all of it was read."""

    site_id: str
    site_name: str
    node_name: str
    sequence: int
    made_at: str
    clock: ClockQuality  # how far the clock was trusted that said so
    age_seconds: float | None  # by this machine's clock; None where that is earlier
    agent_version: str
    k3s_version: str
    k3s_here: str  # the k3s that would run; empty where the one of the backup would be fetched
    architecture: str
    datastore: str
    size: int  # bytes laid out
    volumes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a job would do if it were started now; nothing has been changed."""

    verb: Verb
    steps: tuple[PlannedStep, ...]
    findings: tuple[Finding, ...] = ()
    backup: BackupContents | None = None  # of `restore`: what would be restored, where it could be opened
    drift: tuple[Difference, ...] = ()  # of `adopt`, and `restore` of what was adopted: where it differs
