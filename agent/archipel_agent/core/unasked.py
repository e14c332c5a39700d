"""What the agent begins by itself after a turn: the backup that is due, the repair of what is wrong.

Called by `agent`. Either is a job like any other, and costs next to nothing, not even being loaded, before it is needed.
"""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from archipel_agent.checks.base import BackupSeen
from archipel_agent.ports import Ports
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.jobs import Job, JobRequest, Verb
from archipel_contract.status import Health, Report

if TYPE_CHECKING:
    from archipel_agent.backup.due import Schedule
    from archipel_agent.healing.healer import Healer

StartJob = Callable[[JobRequest, str], Job]


class PlannedBackups:
    """Begins a backup when one is due."""

    def __init__(self, settings: Settings, store: Store, ports: Ports, node_id: str, start: StartJob) -> None:
        self._store, self._start = store, start
        self._schedule = _schedule(settings, store, ports, node_id) if settings.backup_to else None

    def seen(self) -> BackupSeen:
        """Return how backups stand, as a check sees it."""
        return self._schedule.seen() if self._schedule is not None else BackupSeen(planned=False)

    def look(self, is_busy: bool) -> None:
        """Begin one that is due, unless a job runs or there is no site to back up."""
        if self._schedule is None or not self._schedule.is_due() or is_busy or self._store.site() is None:
            return
        self._schedule.begun()
        with contextlib.suppress(Refused):
            self._start(JobRequest(verb=Verb.BACKUP), "schedule")


class SelfHealing:
    """Has what is wrong repaired where that is allowed."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        ports: Ports,
        start: StartJob,
        note: Callable[[str, str], None],
    ) -> None:
        """`note` takes an outcome and the code of a finding."""
        self._settings, self._store, self._ports = settings, store, ports
        self._start, self._note = start, note
        self._healer: Healer | None = None
        self._has_tried: bool | None = None  # before this agent began; None: not looked yet

    def look(self, report: Report, is_busy: bool) -> None:
        """Have a repair begun if this report asks for one."""
        if report.site is not None and report.site.adopted:  # nobody asked us to try anything on it
            return
        if self._has_tried is None:
            self._has_tried = self._store.value("healing") is not None
        if self._healer is None:
            if not self._has_tried and report.health is not Health.UNHEALTHY:
                return
            from archipel_agent.healing.healer import Healer  # noqa: PLC0415 - not even loaded before the first trouble

            self._healer = Healer(self._ports, self._store, self._settings, self._start, self._note)
        with contextlib.suppress(Refused, StateUnusable):
            self._healer.look(report, is_busy)


def _schedule(settings: Settings, store: Store, ports: Ports, node_id: str) -> "Schedule":
    from archipel_agent.backup.due import Schedule  # noqa: PLC0415 - a site without a place for backups must not pay for it

    return Schedule(settings, store, ports.clock, node_id)
