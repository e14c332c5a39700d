"""The tokens of a site and how far it is hardened: settled once, changed by a wish, and never half."""

import pytest

from archipel_agent.jobs.planning import plan_of
from archipel_agent.observe import World, gather
from archipel_agent.paths import agent_token_file, policies_file
from archipel_agent.settings import Settings
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import OptionInvalid, parse
from archipel_agent.steps.story import story
from archipel_agent.support import known
from archipel_contract.jobs import JobRequest, JobState, Plan, Verb
from archipel_contract.site import Hardening
from tests.chaos.crashes import UP
from tests.chaos.node import Node


def up(node: Node, key: str = "up", **options: str) -> None:
    job = node.do(JobRequest(verb=Verb.UP, options={**UP.options, **options}, key=key))
    assert job.state is JobState.SUCCEEDED, job.finding


def planned(node: Node, **options: str) -> Plan:
    wished = parse(Verb.UP, options)
    context = Context(
        verb=Verb.UP,
        options=wished,
        ports=node.ports,
        paths=node.paths,
        settings=Settings(),
        store=node.store,
        node_id=node.store.value("node_id") or "",
    )
    evidence = gather(node.ports, World(paths=node.paths, store=node.store))
    return plan_of(story(Verb.UP, wished), context, evidence)


@pytest.fixture
def node() -> Node:
    made = Node()
    up(made)
    return made


def test_servers_and_agents_have_tokens_of_their_own_from_the_first_up(node: Node) -> None:
    server, agent = node.store.tokens()
    assert server != agent
    assert min(len(server), len(agent)) == 48
    assert node.disk.read(agent_token_file(node.paths)).decode().strip() == agent
    assert node.disk.mode(agent_token_file(node.paths)) == 0o600
    assert {server, agent} <= set(known.secrets(node.disk, node.paths))


def test_a_site_that_was_made_with_one_token_keeps_it(node: Node) -> None:
    node.store.keep(agent_token=None)
    up(node, "later")
    assert node.store.value("agent_token") is None
    assert b"agent-token" not in node.disk.read(node.paths.k3s_config)


def test_strict_and_back_leaves_the_files_as_they_were(node: Node) -> None:
    files = (node.paths.k3s_settings / "admission.yaml", policies_file(node.paths))
    before = [node.disk.read(path) for path in files]
    up(node, "strict", hardening="strict")
    site = node.store.site()
    assert site is not None and site.hardening is Hardening.STRICT
    assert all(node.disk.read(path) != text for path, text in zip(files, before, strict=True))
    up(node, "again")  # what was wished for once holds
    assert node.store.site() == site
    up(node, "back", hardening="standard")
    assert [node.disk.read(path) for path in files] == before


def test_a_plan_says_what_strict_breaks_until_it_is_so(node: Node) -> None:
    plan = planned(node, hardening="strict")
    assert [one.code for one in plan.findings] == ["hardening-strict"]
    assert "write-config" in {step.slug for step in plan.steps if step.needed}
    assert planned(node).findings == ()
    up(node, "strict", hardening="strict")
    assert planned(node, hardening="strict").findings == ()


def test_another_word_for_hardening_is_refused() -> None:
    with pytest.raises(OptionInvalid, match="hardening"):
        parse(Verb.UP, {"hardening": "paranoid"})


def test_removing_everything_takes_both_tokens_along(node: Node) -> None:
    secrets = node.store.tokens()
    request = JobRequest(verb=Verb.REMOVE, options={"what": "everything"}, key="remove")
    assert node.do(request).state is JobState.SUCCEEDED
    node.agent_goes()
    held = [
        path
        for path, one in node.disk.all().items()
        for token in secrets
        if token.encode() in (one.data or b"")
    ]
    assert held == []
