"""Every trouble the rehearsal makes is found by the agent's own checks, and is over once it is healed."""

from pathlib import Path

import pytest

from archipel_agent.checks import registry
from archipel_agent.checks.base import Phase
from archipel_agent.observe import World, gather
from archipel_agent.rehearsal import faults, recordings
from archipel_contract.jobs import JobState, Verb
from archipel_contract.site import Origin, SiteDocument
from tests.chaos.crashes import request
from tests.chaos.node import SETTLED_SECONDS, STICK, Node

UP = request(Verb.UP, "up", k3s=str(STICK))
EXPLAINED = [name for name, one in faults.FAULTS.items() if one.codes]


def findings(node: Node, phase: Phase) -> set[str]:
    """The codes that the checks find now."""
    evidence = gather(node.ports, World(paths=node.paths, store=node.store))
    return {one.code for result in registry.look_all(evidence, phase) for one in result.findings}


@pytest.mark.parametrize("name", EXPLAINED)
def test_a_trouble_on_a_running_site_is_explained_and_over_once_healed(name: str) -> None:
    node = Node()
    assert node.do(UP).state is JobState.SUCCEEDED
    before = findings(node, Phase.RUNTIME)
    node.world.inject(name)
    node.clock.advance(SETTLED_SECONDS)
    assert findings(node, Phase.RUNTIME) & set(faults.fault(name).codes) - before
    node.world.heal(name)
    node.ports.k3s.stop()
    node.ports.k3s.start()
    node.clock.advance(SETTLED_SECONDS)
    assert findings(node, Phase.RUNTIME) <= before


@pytest.mark.parametrize("name", ["port-taken", "memory-cgroup-off", "disk-full"])
def test_a_trouble_that_shows_beforehand_keeps_up_from_changing_anything(name: str) -> None:
    node = Node()
    node.world.inject(name)
    before = set(node.disk.all())
    job = node.do(UP)
    assert job.state is JobState.FAILED
    assert job.finding is not None
    assert job.finding.code in faults.fault(name).codes
    assert set(node.disk.all()) == before


@pytest.mark.parametrize("name", ["offline-image", "crash-loop"])
def test_a_trouble_that_shows_only_in_k3s_fails_up_with_its_cause(name: str) -> None:
    node = Node()
    node.world.inject(name)
    job = node.do(UP)
    assert job.state is JobState.FAILED
    assert job.finding is not None
    assert job.finding.code in faults.fault(name).codes
    node.world.heal(name)
    assert node.do(request(Verb.UP, "again")).state is JobState.SUCCEEDED


def test_a_slow_card_only_takes_longer() -> None:
    quick, slow = Node(), Node()
    slow.world.inject("slow-start")
    seconds = []
    for node in (quick, slow):
        began = node.clock.monotonic()
        assert node.do(UP).state is JobState.SUCCEEDED
        seconds.append(node.clock.monotonic() - began)
    assert seconds[1] > 4 * seconds[0]


def test_every_trouble_names_a_recording_that_is_there() -> None:
    for one in faults.FAULTS.values():
        if one.recording:
            assert recordings.log(one.recording).lines


def test_a_trouble_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(faults.FaultUnknown, match=r"no fault 'rain'.*port-taken"):
        faults.fault("rain")


def test_a_token_that_opens_other_data_is_explained() -> None:
    node = Node()
    assert node.do(UP).state is JobState.SUCCEEDED
    node.ports.k3s.stop()
    config = node.disk.read(node.paths.k3s_config)
    token = node.store.value("token") or ""
    node.disk.write(node.paths.k3s_config, config.replace(token.encode(), b"another"), 0o600)
    node.ports.k3s.start()
    node.clock.advance(SETTLED_SECONDS)
    assert "cluster-token-wrong" in findings(node, Phase.RUNTIME)


def test_a_k3s_that_was_cut_short_is_explained() -> None:
    node = Node()
    assert node.do(UP).state is JobState.SUCCEEDED
    node.disk.write(node.paths.k3s_binary, node.disk.read(node.paths.k3s_binary)[:5000], 0o755)
    node.ports.k3s.stop()
    node.ports.k3s.start()
    node.clock.advance(SETTLED_SECONDS)
    assert {"k3s-wrong-architecture", "k3s-truncated", "k3s-broken"} & findings(node, Phase.RUNTIME)


def test_somebody_elses_k3s_is_left_alone() -> None:
    node = Node()
    node.disk.put(
        Path("/var/lib/rancher/k3s/server/db/state.db"),
        b'{"token":"x","born":"y","objects":{},"node_seen":true}',
    )
    job = node.do(UP)
    assert job.finding is not None
    assert job.finding.code == "foreign-k3s"


def test_the_site_document_that_up_writes_is_local_and_the_first(tmp_path: Path) -> None:
    node = Node()
    node.do(UP)
    site = node.store.site()
    assert isinstance(site, SiteDocument)
    assert (site.generation, site.origin) == (0, Origin.LOCAL)
