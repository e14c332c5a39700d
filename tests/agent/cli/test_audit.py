"""`archipel audit`: who did what, and whether the journal still says so."""

from archipel_contract.api import AuditPage
from archipel_contract.audit import ChainHead, Entry, appended
from archipel_contract.exits import Exit
from archipel_contract.facts import ClockQuality
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import ScriptedService


def journal(count: int) -> AuditPage:
    """Return a journal with so many entries."""
    head = ChainHead()
    entries = []
    for number in range(count):
        quality = ClockQuality.SYNCHRONIZED if number else ClockQuality.UNKNOWN
        made = Entry(
            number=0,
            at=1_795_330_800_000,
            clock=quality,
            actor="fleet:alice",
            action="order:restart",
            outcome="done",
            detail="k3s runs",
            params={"command": "c-1"},
        )
        entries.append(appended(head, made))
        head = ChainHead(count=entries[-1].number, hash=entries[-1].hash)
    return AuditPage(head=head, entries=tuple(entries))


def test_audit_tells_who_did_what_and_when_and_whether_the_clock_was_sure(
    agent: Archipel, service: ScriptedService
) -> None:
    service.journal = journal(2)
    first, second = agent("audit").out.splitlines()
    assert first.split() == [
        "1", "2026-11-22T07:00:00Z?", "fleet:alice", "order:restart", "done", "k3s", "runs", "command=c-1",
    ]  # fmt: skip
    assert second.split()[1] == "2026-11-22T07:00:00Z"
    assert agent("audit", "-n", "1").out.splitlines()[0].split()[0] == "2"
    assert agent("audit", "--json").data["head"]["count"] == 2


def test_audit_verifies_on_request_and_says_by_its_exit_code_what_it_found(
    agent: Archipel, service: ScriptedService
) -> None:
    service.journal = journal(2)
    said = agent("audit", "--verify")
    assert said.code == Exit.OK and "All entries follow one another" in said.out
    service.journal = AuditPage(head=ChainHead(count=2), broken=2, detail="entry 2 was changed")
    said = agent("audit", "--verify")
    assert said.code == Exit.NOT_OK and "entry 2 was changed" in said.out


def test_audit_of_a_new_machine_is_empty_and_a_wrong_number_is_refused(agent: Archipel) -> None:
    said = agent("audit")
    assert said.code == Exit.OK and "empty" in said.err
    assert agent("audit", "-n", "0").code == Exit.USAGE
