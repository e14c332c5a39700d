"""Images that no container uses go from the container runtime, and k3s imports again what it would think is there."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archipel_agent.ports import Completed, Runner
from archipel_agent.settings import Settings
from archipel_agent.steps import repair_disk
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import parse
from archipel_contract.jobs import Verb
from tests.chaos.crashes import UP, prepared
from tests.chaos.node import Node

CACHE = "var/lib/rancher/k3s/agent/images/.cache.json"
IMAGES = [
    {"id": "used", "size": "10", "pinned": False},
    {"id": "unused", "size": "300", "pinned": False},
    {"id": "pause", "size": "20", "pinned": True},
]


class RunnerWithCrictl:
    """A runner that has a crictl with images, of which a prune leaves the used and pinned; all else is the inner one's."""

    def __init__(self, inner: Runner) -> None:
        self._inner = inner
        self.images = list(IMAGES)

    def run(self, argv: Sequence[str | Path], **how: Any) -> Completed:
        """See ports.Runner."""
        words = tuple(map(str, argv))
        if words[1:2] != ("crictl",):
            return self._inner.run(argv, **how)
        said = {"images": {"images": self.images}, "ps": {"containers": [{"imageId": "used"}]}}
        if words[2] == "rmi":
            self.images = [one for one in self.images if one["id"] != "unused"]
        return Completed(argv=words, code=0, stdout=json.dumps(said.get(words[2], {})), stderr="")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_unused_images_are_freed_and_what_k3s_noted_as_imported_is_forgotten() -> None:
    node = Node(prepared((UP,)))
    runner = RunnerWithCrictl(node.ports.runner)
    context = Context(
        verb=Verb.FIX,
        options=parse(Verb.FIX, {"code": "disk-full", "free": ["images"]}),
        ports=replace(node.ports, runner=runner),
        paths=node.paths,
        settings=Settings(),
        store=node.store,
        node_id="",
        job="j-1",
    )
    node.disk.put(node.paths.at(CACHE), b'{"unused.tar":{}}')
    assert [(amount, kind.slug) for amount, kind in repair_disk.freeable(context)] == [(300, "images")]
    repair_disk.run(context)
    assert [one["id"] for one in runner.images] == ["used", "pause"]
    assert node.disk.read(node.paths.at(CACHE)) == b""
