"""What the agent keeps: who it is, the site document, its jobs with their journal, and how long steps take.

Everything is written in one transaction per fact, before the fact is acted on. Values are JSON of contract types.
"""

import json
from collections.abc import Mapping
from typing import Any

from archipel_agent.state.audit import AuditStore
from archipel_agent.state.database import Database
from archipel_agent.state.orders import OrderStore
from archipel_contract import wire
from archipel_contract.jobs import Job, JobState
from archipel_contract.site import SiteDocument

JOBS_KEPT = 50
DURATIONS_KEPT = 9


class Store:
    """Typed access to the state database."""

    def __init__(self, database: Database) -> None:
        """Keep everything in `database`."""
        self._database = database
        self.audit, self.orders = AuditStore(database), OrderStore(database)
        self._read: dict[str, tuple[str, SiteDocument]] = {}  # which -> the text last read, and what it says

    def value(self, name: str) -> str | None:
        """Return a single fact kept under `name`."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, **facts: str | None) -> None:
        """Keep several single facts at once; None forgets one."""
        with self._database.transaction() as connection:
            for name, value in facts.items():
                if value is None:
                    connection.execute("DELETE FROM meta WHERE name = ?", (name,))
                else:
                    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def tokens(self) -> tuple[str, ...]:
        """Return the tokens to join the site with, for taking them out of whatever is shown."""
        return tuple(found for name in ("token", "agent_token") if (found := self.value(name)))

    def site(self, which: str = "current") -> SiteDocument | None:
        """Return the site document `current`, `desired` or `rollback`; None before there is one."""
        body = self.value(f"site_{which}")
        if body is None:
            return None
        known = self._read.get(which)
        if known is None or known[0] != body:  # every turn asks, and it hardly ever changes
            known = self._read[which] = (body, wire.from_json(SiteDocument, body))
        return known[1]

    def keep_site(self, document: SiteDocument | None, which: str = "current") -> None:
        """Keep a site document; None forgets it."""
        self.keep_sites({which: document})

    def keep_sites(self, documents: Mapping[str, SiteDocument | None]) -> None:
        """Keep several site documents at once, so that a power cut cannot part them; None forgets one."""
        bodies = {
            f"site_{which}": None if document is None else wire.to_json(document).decode()
            for which, document in documents.items()
        }
        self.keep(**bodies)

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs kept, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT body FROM jobs ORDER BY number DESC").fetchall()
        return tuple(wire.from_json(Job, row[0]) for row in rows)

    def job(self, job_id: str) -> Job | None:
        """Return one job."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else wire.from_json(Job, row[0])

    def job_with_key(self, key: str) -> Job | None:
        """Return the newest job started with the idempotency key `key`."""
        with self._database.reading() as connection:
            query = "SELECT body FROM jobs WHERE key = ? ORDER BY number DESC LIMIT 1"
            row = connection.execute(query, (key,)).fetchone()
        return None if row is None else wire.from_json(Job, row[0])

    def keep_job(self, job: Job, key: str = "") -> None:
        """Keep a job as it stands now, and forget the oldest beyond JOBS_KEPT with their journal."""
        body = wire.to_json(job).decode()
        with self._database.transaction() as connection:
            changed = connection.execute("UPDATE jobs SET body = ? WHERE id = ?", (body, job.id)).rowcount
            if not changed:
                number = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM jobs").fetchone()[0]
                connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?)", (job.id, number, key, body))
                connection.execute("DELETE FROM jobs WHERE number <= ?", (number - JOBS_KEPT,))
                connection.execute("DELETE FROM journal WHERE job NOT IN (SELECT id FROM jobs)")

    def unfinished(self) -> Job | None:
        """Return the job that a stop of the agent cut off, if any."""
        for job in self.jobs():
            if job.state in (JobState.QUEUED, JobState.RUNNING):
                return job
        return None

    def write_journal(self, job_id: str, step: str, phase: str, note: dict[str, Any] | None = None) -> None:
        """Append one line to a job's journal: `phase` is begin, done, already, undo, undone or turn."""
        with self._database.transaction() as connection:
            query = "SELECT coalesce(max(position), 0) + 1 FROM journal WHERE job = ?"
            position = connection.execute(query, (job_id,)).fetchone()[0]
            line = (job_id, position, step, phase, json.dumps(note or {}))
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", line)

    def journal(self, job_id: str) -> tuple[tuple[str, str, dict[str, Any]], ...]:
        """Return a job's journal as (step, phase, note), oldest first."""
        with self._database.reading() as connection:
            query = "SELECT step, phase, note FROM journal WHERE job = ? ORDER BY position"
            rows = connection.execute(query, (job_id,)).fetchall()
        return tuple((step, phase, json.loads(note)) for step, phase, note in rows)

    def keep_duration(self, step: str, seconds: float) -> None:
        """Remember how long a step took, the last DURATIONS_KEPT times."""
        with self._database.transaction() as connection:
            query = "SELECT coalesce(max(number), 0) + 1 FROM durations WHERE step = ?"
            number = connection.execute(query, (step,)).fetchone()[0]
            connection.execute("INSERT INTO durations VALUES (?, ?, ?)", (step, number, seconds))
            drop = "DELETE FROM durations WHERE step = ? AND number <= ?"
            connection.execute(drop, (step, number - DURATIONS_KEPT))

    def usual_seconds(self, step: str) -> float | None:
        """Return the median duration of a step on this machine; None before its first run."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT seconds FROM durations WHERE step = ?", (step,)).fetchall()
        return _median([row[0] for row in rows]) if rows else None


def _median(values: list[float]) -> float:
    """Return the middle value; the module `statistics` would keep half a megabyte resident for it."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
