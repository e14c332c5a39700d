"""The job `firewall` on a whole node: tried before it is kept, off after a start that nobody confirmed, gone with us."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.checks import firewall as check
from archipel_agent.firewall import asking
from archipel_agent.firewall.rules import CONFIRM_SECONDS
from archipel_agent.firewall.standing import Standing
from archipel_agent.observe import World, gather
from archipel_contract.findings import CheckResult
from archipel_contract.jobs import Job, JobRequest, JobState, Verb
from tests.chaos.node import Node
from tests.fakes.power import PowerCut

CONF, KEPT = Path("/etc/archipel/firewall.conf"), Path("/etc/archipel/firewall.nft")
UNIT = Path("/etc/systemd/system/archipel-firewall.service")


def do(node: Node, what: str, key: str = "") -> Job:
    return node.do(JobRequest(verb=Verb.FIREWALL, options={"what": what}, key=key or what))


def standing(node: Node) -> Standing | None:
    seen = asking.stand(node.ports.runner)
    return seen.standing if seen else None


def looked(node: Node) -> CheckResult:
    return check.look(gather(node.ports, World(paths=node.paths, store=node.store)))


def test_switched_on_it_holds_for_a_minute_and_then_lets_everything_in_again() -> None:
    node = Node()
    assert do(node, "on").state is JobState.SUCCEEDED
    assert standing(node) is Standing.UNCONFIRMED
    node.clock.advance(CONFIRM_SECONDS + 1)
    assert standing(node) is Standing.EXPIRED
    assert not node.disk.exists(KEPT)


def test_a_start_that_came_before_anybody_confirmed_finds_no_rules() -> None:
    node = Node()
    do(node, "on")
    node.come_back()
    assert standing(node) is Standing.OFF
    assert not node.disk.exists(UNIT)


def test_kept_it_is_written_down_loaded_at_every_start_and_watched() -> None:
    node = Node()
    do(node, "on")
    assert do(node, "keep").state is JobState.SUCCEEDED
    assert standing(node) is Standing.ON
    assert b"ExecStart=/usr/sbin/nft -f /etc/archipel/firewall.nft" in node.disk.read(UNIT)
    assert node.disk.exists(UNIT.parent / "multi-user.target.wants" / UNIT.name)
    assert looked(node).findings == ()


def test_rules_that_somebody_else_removed_are_found() -> None:
    node = Node()
    do(node, "keep")
    node.ports.runner.run(["nft", "-f", "-"], stdin=b"flush ruleset")
    assert [one.code for one in looked(node).findings] == ["firewall-not-in-force"]


def test_a_declaration_that_changed_after_it_was_confirmed_is_found() -> None:
    node = Node()
    do(node, "keep")
    node.disk.write(CONF, b"22/tcp\n443/tcp\n")
    assert [one.code for one in looked(node).findings] == ["firewall-declared-otherwise"]


def test_a_kernel_that_cannot_be_asked_leaves_the_check_undecided() -> None:
    node = Node()
    do(node, "keep")
    evidence = gather(node.ports, World(paths=node.paths, store=node.store))
    assert check.look(replace(evidence, firewall=None)).verdict.value == "undecided"


def test_a_declaration_that_cannot_be_understood_changes_nothing() -> None:
    node = Node()
    do(node, "keep")
    kept = node.disk.read(KEPT)
    node.disk.write(CONF, b"22/tcp\nhttps\n")
    job = do(node, "on")
    assert job.finding is not None
    assert (job.finding.code, job.changed_nothing) == ("firewall-declaration-invalid", True)
    assert "line 2" in job.finding.params["problem"]
    assert (node.disk.read(KEPT), standing(node)) == (kept, Standing.ON)


def test_switched_off_nothing_is_left_but_the_declaration() -> None:
    node = Node()
    do(node, "keep")
    assert do(node, "off").state is JobState.SUCCEEDED
    assert standing(node) is Standing.OFF
    assert not [path for path in (KEPT, UNIT) if node.disk.exists(path)]
    assert node.disk.exists(CONF)


def test_a_power_cut_at_any_instant_of_keeping_it_is_finished_at_the_next_start() -> None:
    instant = 0
    while True:
        instant += 1
        node = Node()
        do(node, "on")
        node.power.crash_at(instant)
        try:
            do(node, "keep")
        except PowerCut:
            node.come_back()
            if node.disk.exists(UNIT):  # what systemd does with it
                node.ports.runner.run(["nft", "-f", "-"], stdin=node.disk.read(KEPT))
            assert do(node, "keep").state is JobState.SUCCEEDED
            assert (standing(node), node.disk.exists(UNIT)) == (Standing.ON, True)
        else:
            break
    assert instant > 10


def test_removing_the_agent_takes_the_firewall_along_and_the_declaration() -> None:
    node = Node()
    do(node, "keep")
    removal = JobRequest(verb=Verb.REMOVE, options={"what": "everything"}, key="remove")
    assert node.do(removal).state is JobState.SUCCEEDED
    node.agent_goes()
    assert standing(node) is Standing.OFF
    assert not [path for path in (CONF, KEPT, UNIT) if node.disk.exists(path)]
