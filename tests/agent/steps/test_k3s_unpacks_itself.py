"""k3s unpacks itself while `up` prepares the rest: before a first start alone, whole, and taken away again with the rest."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.k3s.files import own_files
from archipel_agent.settings import Settings
from archipel_agent.steps import unpack, waiting
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import parse
from archipel_contract.jobs import JobState, StepState, Verb
from tests.chaos.crashes import UP, request
from tests.chaos.node import Node
from tests.fakes.disk import TreacherousDisk

PROGRAM = b"a program"


def unpacked(node: Node, program: bytes = PROGRAM) -> Path:
    """Lay down what k3s unpacks, with `program` in the place of the one its list names."""
    place = node.paths.k3s_data / "data" / ("1f" * 32)
    digest = hashlib.sha256(PROGRAM).hexdigest()
    node.disk.write(place / "bin/.sha256sums", f"{digest}  k3s\n".encode())
    node.disk.write(place / "bin/k3s", program, 0o755)
    return place


def context(node: Node) -> Context:
    return Context(
        verb=Verb.UP,
        options=parse(Verb.UP, {}),
        ports=node.ports,
        paths=node.paths,
        settings=Settings(),
        store=node.store,
        node_id="",
    )


def said(node: Node, key: str = "up") -> tuple[StepState, str]:
    job = node.do(request(Verb.UP, key, **UP.options))
    assert job.state is JobState.SUCCEEDED, job.sentence
    return next((one.state, one.said) for one in job.steps if one.slug == unpack.STEP.slug)


def test_it_is_begun_once_before_the_first_start() -> None:
    node = Node()
    assert said(node) == (StepState.DONE, "goes on beside the rest")
    assert said(node, "again") == (StepState.ALREADY, "done before")


def test_what_a_start_that_was_cut_off_unpacked_whole_is_taken_as_it_is() -> None:
    node = Node()
    place = unpacked(node)
    assert said(node) == (StepState.ALREADY, "done already")
    assert node.disk.read(place / "bin/k3s") == PROGRAM


@pytest.mark.parametrize("torn", [b"", b"a prog"], ids=["empty", "half"])
def test_what_a_power_cut_tore_is_unpacked_anew(torn: bytes) -> None:
    node = Node()
    place = unpacked(node, torn)
    assert said(node)[0] is StepState.DONE
    assert not node.disk.exists(place)


def test_nothing_is_unpacked_into_the_place_of_a_k3s_that_runs() -> None:
    node = Node()
    said(node)
    node.store.keep_sites({"current": None, "desired": node.store.site()})
    assert unpack.STEP.check(context(node)) == "k3s runs"


def test_its_way_back_leaves_nothing_behind() -> None:
    node = Node()
    unpacked(node)
    unpack.STEP.undo(context(node))
    assert not node.disk.exists(node.paths.k3s_data)


class WatchedDisk(TreacherousDisk):
    """Remembers what was flushed."""

    flushed: tuple[Path, ...] = ()

    def flush(self, path: Path) -> None:
        """See ports.Disk."""
        self.flushed += (path,)


def test_the_files_k3s_made_are_written_out_each_by_itself() -> None:
    node = Node()
    said(node)
    disk = WatchedDisk()
    disk.lay(node.disk.all())
    at_hand = context(node)
    waiting.make_durable(replace(at_hand, ports=replace(at_hand.ports, disk=disk)))
    assert disk.flushed == own_files(disk, node.paths)
    assert {"token", "password", "k3s.yaml"} <= {path.name for path in disk.flushed}
    assert {"client-kubelet.crt", "serving-kube-apiserver.crt"} <= {path.name for path in disk.flushed}
