"""What is remembered of answer files: enough to go on after a cut at any instant, and to apply none twice. Of secrets only
what is in `agent.toml` too.

Kept in the state database in one transaction with what is shown (`status`) and with the marks of files that need no look.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_contract import wire
from archipel_contract.answers import AnswersStatus

RECORD, STATUS, MARKS = "answers", "answers_status", "answers_marks"

Plain = str | bool | int | float | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One answer file under way or done; `run` counts them, so that each has jobs of its own."""

    run: int = 0
    files: tuple[str, ...] = ()  # equal ones; the result is written beside the first
    sha256: str = ""
    blanked: str = ""  # SHA-256 of the file once its secrets are blanked
    values: dict[str, Plain] = field(default_factory=dict)  # without secrets
    before: dict[str, Plain] = field(default_factory=dict)  # of the file that was in force before
    written: dict[str, list[str | float]] = field(
        default_factory=dict
    )  # settings: what we put there, or are putting
    seen: dict[str, str] = field(default_factory=dict)  # place -> SHA-256 of what was last handled there
    is_handed_over: bool = False  # settings and token are where they belong
    leaves_token: bool = False  # a token is being left, or has been
    waits_for_fleet: bool = False
    tries: int = 0  # of `up`
    is_up: bool = False  # nothing is left to do for the site
    boot_line: str = ""  # the fix for which the machine was restarted
    is_beside: bool = False  # secrets are blanked, and the result as it stands is written
    is_over: bool = False
    status: AnswersStatus = AnswersStatus()


def recall(store: Store) -> Record:
    """Return what was kept; an empty one where nothing was."""
    kept = store.value(RECORD)
    return Record() if kept is None else wire.from_json(Record, kept)


def keep(store: Store, record: Record, marks: Mapping[str, tuple[int, ...]] | None) -> None:
    """Keep it durably; `marks` of files that need no further look, None where some do."""
    facts: dict[str, str | None] = {
        RECORD: wire.to_json(record).decode(),
        STATUS: wire.to_json(record.status).decode(),
        MARKS: None if marks is None else as_text(marks),
    }
    store.keep(**facts)


def shown(store: Store) -> AnswersStatus:
    """Return how it stood when that was last kept; as if there had been nothing where it cannot be read."""
    try:
        kept = store.value(STATUS)
        return AnswersStatus() if kept is None else wire.from_json(AnswersStatus, kept)
    except (StateUnusable, wire.WireError):
        return AnswersStatus()


def as_text(marks: Mapping[str, tuple[int, ...]]) -> str:
    """Return marks as they are kept and compared."""
    return json.dumps({path: list(mark) for path, mark in sorted(marks.items())})
