"""A repair that is cut off anywhere goes on: what was damaged is kept once, and what is new is in its place."""

from pathlib import Path

import pytest

from archipel_agent.k3s.unpacked import broken_programs
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from archipel_agent.settings import Settings
from archipel_agent.steps import repair_datastore
from archipel_agent.steps.base import Context, StepFailed
from archipel_agent.steps.options import parse
from archipel_contract.jobs import JobRequest, JobState, Verb
from tests.chaos.crashes import UP
from tests.chaos.node import Node
from tests.fakes.power import PowerCut

DB = "var/lib/rancher/k3s/server/db"
OLD = {"state.db": b"torn", "state.db-wal": b"log of the torn one", "state.db-shm": b"index"}
NEW = b"every row that could be read"


def context(node: Node, job: str = "j-1") -> Context:
    return Context(
        verb=Verb.FIX,
        options=parse(Verb.FIX, {"code": "datastore-damaged"}),
        ports=node.ports,
        paths=node.paths,
        settings=Settings(),
        store=node.store,
        node_id="",
        job=job,
    )


def damaged() -> Node:
    node = Node()
    for name, data in OLD.items():
        node.disk.put(node.paths.at(f"{DB}/{name}"), data)
    node.disk.put(node.paths.at(f"{DB}/state.db.recovered"), NEW)
    return node


def held(node: Node) -> dict[str, bytes]:
    place = node.paths.at(DB)
    return {name: node.disk.read(place / name) for name in node.disk.names(place)}


AFTER = {
    "state.db": NEW,
    **{name.replace("state.db", "state.db.damaged-1"): data for name, data in OLD.items()},
}


def test_a_datastore_that_is_exchanged_and_cut_off_anywhere_is_exchanged_once() -> None:
    instant, node = 0, damaged()
    while True:
        instant, node = instant + 1, damaged()
        node.power.crash_at(instant)
        try:
            repair_datastore.swap(context(node))
            break
        except PowerCut:
            node.power.crash_at(None)
            node.disk.after_power_cut()
            node.store = node._open()
        again = context(node)
        if repair_datastore.nothing_read(again) is None:
            assert repair_datastore.check(again) == "read"
            repair_datastore.swap(again)
        assert held(node) == AFTER, instant
    assert instant > 10
    assert held(node) == AFTER


def test_the_way_back_brings_the_damaged_one_with_its_log() -> None:
    node = damaged()
    repair_datastore.swap(context(node))
    repair_datastore.take_back(context(node))
    assert held(node) == OLD


def test_the_way_back_cut_off_anywhere_goes_on_and_ends_once() -> None:
    instant, is_over, node = 0, False, damaged()
    while not is_over:
        instant, node = instant + 1, damaged()
        repair_datastore.swap(context(node))
        node.power.crash_at(instant)
        try:
            repair_datastore.take_back(context(node, "j-2"))
            is_over = True
        except PowerCut:
            node.power.crash_at(None)
            node.disk.after_power_cut()
            node.store = node._open()
        again = context(node, "j-2")
        if repair_datastore.is_back(again) is None:
            repair_datastore.take_back(again)
        assert held(node) == OLD, instant
        assert repair_datastore.is_back(again) == "in place"
    assert instant > 10
    with pytest.raises(StepFailed):
        repair_datastore.is_back(context(node, "j-3"))


@pytest.fixture
def site() -> Node:
    """A machine that is a site."""
    node = Node()
    assert node.do(UP).state is JobState.SUCCEEDED
    return node


def test_programs_are_whole_only_if_each_is_as_listed() -> None:
    disk, place = MemoryDisk(), Path("/data/abc")
    disk.write(place / "bin/runc", b"runc")
    listed = f"{disk.sha256(place / 'bin/runc')}  runc\n"
    assert broken_programs(disk, place) == (place / "bin/.sha256sums",)
    disk.write(place / "bin/.sha256sums", b"")
    assert broken_programs(disk, place) == (place / "bin/.sha256sums",)
    disk.write(place / "bin/.sha256sums", listed.encode())
    assert broken_programs(disk, place) == ()
    disk.write(place / "bin/runc", b"run")
    assert broken_programs(disk, place) == (place / "bin/runc",)
    disk.remove(place / "bin/runc")
    assert broken_programs(disk, place) == (place / "bin/runc",)


def test_a_repair_nobody_knows_is_refused_and_changes_nothing(site: Node) -> None:
    before = site.picture()
    job = site.do(JobRequest(verb=Verb.FIX, options={"code": "address-choice"}, key="no"))
    assert job.changed_nothing
    assert site.picture() == before
