"""The part of the agent that tells what is there without a turn: facts, documents, logs, the audit journal."""

import os

from archipel_agent.core.base import Base
from archipel_agent.ports import CommandFailed
from archipel_agent.redact import redact_lines
from archipel_agent.service import Refused
from archipel_agent.state.database import StateUnusable
from archipel_contract import __version__
from archipel_contract.api import API_VERSION, AccessRole, Alive, AuditPage, Kubeconfig, LogLines
from archipel_contract.facts import NodeFacts
from archipel_contract.site import SiteDocument

LINES_ALLOWED = 2000
AGENT_UNIT = "archipel-agent.service"


class Telling(Base):
    """See `service.AgentService`."""

    def alive(self, role: AccessRole) -> Alive:
        """Return who answers."""
        return Alive(
            agent_version=__version__,
            api_version=API_VERSION,
            pid=os.getpid(),
            node_id=self.node_id,
            role=int(role),
            rehearsed=self.ports.rehearsed,
        )

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        return self.ports.machine.facts()

    def site(self) -> SiteDocument:
        """Return the document in force."""
        document = self.store.site() if self.store else None
        if document is None:
            raise Refused(404, "not-set-up", "This machine is not a site yet.", "sudo archipel up")
        return document

    def logs(self, source: str, lines: int) -> LogLines:
        """Return the last lines of k3s or of the agent, redacted."""
        if not 1 <= lines <= LINES_ALLOWED:
            raise Refused(400, "lines-invalid", f"lines must be 1 to {LINES_ALLOWED}.", "")
        if source == "k3s":
            found = self.ports.k3s.log(lines)
        elif source == "agent":
            found = self._own_log(lines)
        else:
            raise Refused(404, "no-such-log", f"There is no log {source!r}; there are k3s and agent.", "")
        secrets = self.store.tokens() if self.store else ()
        return LogLines(source=source, lines=redact_lines(found, secrets))

    def _own_log(self, lines: int) -> tuple[str, ...]:
        """Return the agent's own lines: its file where it keeps one (without systemd), else the journal's."""
        log = self.paths.state / "log/agent.log"
        try:
            if self.ports.disk.exists(log):
                return tuple(self.ports.disk.read(log).decode(errors="replace").splitlines()[-lines:])
            argv = ["journalctl", "-u", AGENT_UNIT, "-o", "cat", "--no-pager", "-n", str(lines)]
            return tuple(self.ports.runner.run(argv, timeout=15.0).stdout.splitlines())
        except (CommandFailed, OSError):
            return ()

    def audit(self, lines: int, verify: bool) -> AuditPage:
        """Return the end of the audit journal."""
        if self.journal is None:
            raise self._no_state()
        try:
            return self.journal.page(lines, verify)
        except StateUnusable as error:
            raise self._no_state(error) from error

    def kubeconfig(self) -> Kubeconfig:
        """Return the administrator's kubeconfig."""
        path = self.paths.kubeconfig
        if not self.ports.disk.exists(path):
            raise Refused(404, "no-kubeconfig", "k3s has not written a kubeconfig yet.", "sudo archipel up")
        return Kubeconfig(path=str(path), content=self.ports.disk.read(path).decode())
