"""What this machine remembers of its backups: the last one, what went wrong since, and the last drill."""

from dataclasses import dataclass
from typing import TypeVar

from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_contract import wire
from archipel_contract.facts import ClockQuality
from archipel_contract.status import BackupStatus

T = TypeVar("T")
SEQUENCE, LAST, PROBLEM, DRILLED = "backup_sequence", "backup_last", "backup_problem", "backup_drilled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that arrived at its target."""

    sequence: int
    name: str
    target: str
    at: str
    clock: ClockQuality
    size: int  # bytes of the sealed file
    sha256: str  # of the sealed file
    seconds: float
    changed: int = 0  # files of volumes that changed while they were read
    owner_keys: int = 0  # recovery keys of the owner, and of the fleet, for which it was sealed
    fleet_keys: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why the last try failed: the code of the finding, and the problem in it."""

    at: str
    code: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """A backup that was restored for practice, and how long that took."""

    sequence: int
    name: str
    at: str
    seconds: float
    objects: int
    files: int
    size: int


def last(store: Store) -> Made | None:
    """Return the last backup that arrived."""
    return _read(store, LAST, Made)


def problem(store: Store) -> Failed | None:
    """Return what went wrong since, None if nothing did."""
    return _read(store, PROBLEM, Failed)


def drilled(store: Store) -> Drilled | None:
    """Return the last drill that succeeded."""
    return _read(store, DRILLED, Drilled)


def standing(store: Store | None, planned_to: str) -> BackupStatus | None:
    """Return how backups stand, for a report; None where there is no site to back up. Next to no work."""
    try:
        if store is None or store.site() is None:
            return None
        made, trouble, practised = last(store), problem(store), drilled(store)
    except StateUnusable:
        return None  # said elsewhere, and loudly
    return BackupStatus(
        planned_to=planned_to,
        sequence=made.sequence if made else 0,
        at=made.at if made else "",
        place=made.target if made else "",
        owner_keys=made.owner_keys if made else 0,
        fleet_keys=made.fleet_keys if made else 0,
        drilled_at=practised.at if practised else "",
        drilled_sequence=practised.sequence if practised else 0,
        problem=trouble.problem if trouble else "",
    )


def keep(store: Store, name: str, value: Made | Failed | Drilled) -> None:
    """Keep one of them."""
    store.keep(**{name: wire.to_json(value).decode()})


def sequence(store: Store) -> int:
    """Return the number of the last backup that was begun; 0 before the first."""
    return int(store.value(SEQUENCE) or 0)


def _read(store: Store, name: str, shape: type[T]) -> T | None:
    text = store.value(name)
    return None if text is None else wire.from_json(shape, text)
