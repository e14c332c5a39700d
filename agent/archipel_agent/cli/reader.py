"""Who answers a command that only looks: the agent, or this process itself, read-only, where no agent runs."""

from typing import Protocol

from archipel_agent.cli.command import Session
from archipel_contract.answers import AnswersStatus
from archipel_contract.api import Alive, AuditPage, Checks, LogLines
from archipel_contract.client import AgentAway, AgentClient, NotAdmitted
from archipel_contract.facts import NodeFacts
from archipel_contract.jobs import JobRequest, Plan
from archipel_contract.site import SiteDocument
from archipel_contract.status import Report

ANSWER_SECONDS = 5.0  # an agent that takes longer to say that it lives is of no help


class Reader(Protocol):
    """The looking part of the agent's service."""

    def report(self, fresh: bool) -> Report:
        """Return state, findings, node, pods and hardware."""
        ...

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        ...

    def site(self) -> SiteDocument:
        """Return what this site should be."""
        ...

    def checks(self) -> Checks:
        """Run every check of the present phase."""
        ...

    def plan(self, request: JobRequest) -> Plan:
        """Return what a job would do."""
        ...

    def logs(self, source: str, lines: int) -> LogLines:
        """Return the last lines of a log."""
        ...

    def audit(self, lines: int, verify: bool) -> AuditPage:
        """Return the last entries of the audit journal."""
        ...

    def answers(self) -> AnswersStatus:
        """Return which answer file is in force, and what came of it."""
        ...


class Remote:
    """The agent behind its socket."""

    def __init__(self, client: AgentClient) -> None:
        self._client = client

    def report(self, fresh: bool) -> Report:
        """Return state, findings, node, pods and hardware."""
        answer: Report = self._client.call("report", fresh="1" if fresh else "0")
        return answer

    def facts(self) -> NodeFacts:
        """Return what this machine is."""
        answer: NodeFacts = self._client.call("facts")
        return answer

    def site(self) -> SiteDocument:
        """Return what this site should be."""
        answer: SiteDocument = self._client.call("site")
        return answer

    def checks(self) -> Checks:
        """Run every check of the present phase."""
        answer: Checks = self._client.call("checks")
        return answer

    def plan(self, request: JobRequest) -> Plan:
        """Return what a job would do."""
        answer: Plan = self._client.call("plan", request)
        return answer

    def logs(self, source: str, lines: int) -> LogLines:
        """Return the last lines of a log."""
        answer: LogLines = self._client.call("logs", source=source, lines=str(lines))
        return answer

    def audit(self, lines: int, verify: bool) -> AuditPage:
        """Return the last entries of the audit journal."""
        answer: AuditPage = self._client.call("audit", lines=str(lines), verify=str(int(verify)))
        return answer

    def answers(self) -> AnswersStatus:
        """Return which answer file is in force, and what came of it."""
        answer: AnswersStatus = self._client.call("answers")
        return answer


REHEARSED = "REHEARSED: the machine and its k3s are simulated."


def reader(session: Session, *, labelled: bool = False) -> Reader:
    """Return the agent if it answers, else a reader of our own, and say so; raise NotAdmitted when we may not ask it.

    That an agent is a rehearsed one is said here, unless the command's own answer says it (`labelled`).
    """
    alive = living(session.client)
    if alive is not None:
        if alive.rehearsed and not labelled:
            session.screen.note(REHEARSED)
        return Remote(session.client)
    # An agent that has started and says nothing is busy, as on a slow machine whose k3s starts.
    away = "The agent does not answer" if session.client.socket_path.exists() else "No agent runs here"
    session.screen.note(f"{away}; this is what the command can see by itself, without changing anything.")
    from archipel_agent.compose import read_only_service  # loads everything the agent consists of

    return read_only_service(session.paths)


def living(client: AgentClient) -> Alive | None:
    """Return the agent that answers on the socket, None if none does; raise NotAdmitted when this user may not open it."""
    try:
        alive: Alive = client.call("alive", timeout=ANSWER_SECONDS)
    except NotAdmitted:
        raise
    except AgentAway:
        return None
    return alive
