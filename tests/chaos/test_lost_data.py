"""Files that somebody else removed behind the agent's back: `up` puts the site right again."""

import pytest

from archipel_contract.jobs import JobState, Verb
from tests.chaos.crashes import UP, differing, prepared, request
from tests.chaos.node import Node


@pytest.mark.parametrize(
    "lost",
    [
        "var/lib/rancher/k3s",
        "etc/rancher/k3s",
        "etc/systemd/system/k3s.service",
        "var/lib/archipel/kube",
        "etc/sysctl.d",
    ],
)
def test_up_brings_back_what_was_removed_by_hand(lost: str) -> None:
    node = Node(prepared((UP,)))
    wanted = Node(prepared((UP,))).picture()
    node.ports.k3s.stop()
    node.ports.k3s.stop_pods()
    node.disk.remove_tree(node.paths.at(lost))
    began = node.clock.monotonic()
    job = node.do(request(Verb.UP, "again"))
    assert job.state is JobState.SUCCEEDED, job.sentence
    assert node.clock.monotonic() - began < 60
    assert list(differing(wanted, node.picture())) == []
