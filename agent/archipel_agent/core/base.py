"""What every part of the agent holds, and how it notes what was done. Each part in this package begins with it."""

from archipel_agent.jobs.manager import JobManager
from archipel_agent.journal import Journal
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.service import Refused
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.catalogue import finding
from archipel_contract.facts import ClockQuality
from archipel_contract.status import Report


class Base:
    """The machine's doors, its settings and its memory."""

    manager: JobManager | None = None
    """Set by the whole, which alone knows whom the end of a job concerns; stays None without a usable state."""
    _report: Report | None = None

    def __init__(
        self,
        ports: Ports,
        paths: Paths,
        settings: Settings,
        node_id: str,
        store: Store | None,
        unusable: StateUnusable | None = None,
    ) -> None:
        """`store` is None when the state cannot be used, `unusable` then says why."""
        self.ports = ports
        self.paths = paths
        self.settings = settings
        self.node_id = node_id
        self.store = store
        self._unusable = unusable
        self.journal = Journal(store.audit, ports.clock, self._clock_quality) if store else None

    def _clock_quality(self) -> ClockQuality:
        return self._report.node.clock if self._report is not None else ClockQuality.UNKNOWN

    def _note(self, actor: str, action: str, outcome: str, detail: str = "", **params: str) -> None:
        """Put an entry into the audit journal, if there is one."""
        if self.journal is not None:
            self.journal.note(actor, action, outcome, detail, **params)

    def _is_busy(self) -> bool:
        """Whether a job runs."""
        return self.manager is not None and self.manager.running() is not None

    def _no_state(self, error: StateUnusable | None = None) -> Refused:
        """Return the refusal of what takes a usable state; `error` is what has made it unusable since the start."""
        why = error or self._unusable
        assert why is not None  # set whenever there is no store
        shown = finding(why.code, path=str(why.path), problem=why.detail, free="0 MB", share="0 %")
        return Refused(503, why.code, shown.summary, shown.next_step, shown)
