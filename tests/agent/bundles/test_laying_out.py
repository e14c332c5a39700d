"""Laying a bundle out: archives get their second names at once, and what the same job verified is not read again."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.jobs.clock import JobClock
from archipel_agent.jobs.engine import Engine
from archipel_contract.bundle.format import Kind
from archipel_contract.jobs import Job, JobState, Verb
from tests.agent.bundles.machine import GOOD, Box, box

MORE = GOOD.but(
    files={**GOOD.files, "pods.tar": (Kind.IMAGES, b"image"), "more.tar": (Kind.IMAGES, b"another")}
)
ARCHIVES = ("core.tar.zst", "more.tar", "pods.tar")
FILE = MORE.packed()


def kept(machine: Box, name: str) -> Path:
    """Where the machine keeps the content of a file of the bundle."""
    return machine.bundles.blob(next(one.sha256 for one in MORE.manifest.files if one.name == name))


def images(machine: Box) -> list[Path]:
    """Where the archives are laid out."""
    return [machine.paths.k3s_images / name for name in ARCHIVES]


def test_all_archives_are_named_at_once_and_none_that_was_just_verified_is_read_again() -> None:
    machine = box(FILE)
    machine.power.remembers = True
    job = machine.ask(Verb.UP)
    assert job.state is JobState.SUCCEEDED, job
    assert machine.power.labels.count("all shared") == 1
    assert all(machine.disk.is_same(path, kept(machine, path.name)) for path in images(machine))
    assert not {*images(machine), *(kept(machine, name) for name in ARCHIVES)} & {*machine.disk.digested}
    plant = machine.paths.k3s_data / "server/manifests/plant.yaml"  # people edit it
    assert not machine.disk.is_same(plant, kept(machine, "plant.yaml"))
    assert plant in machine.disk.digested


def test_what_an_earlier_job_verified_is_read_again() -> None:
    machine = box(FILE)
    machine.ask()
    job = machine.ask(Verb.UP)
    assert job.state is JobState.SUCCEEDED, job
    assert {*images(machine)} <= {*machine.disk.digested}


def test_a_kept_content_that_rotted_since_is_named_and_not_left_for_k3s() -> None:
    machine = box(FILE)
    machine.ask()
    machine.disk.put(kept(machine, "more.tar"), b"rotten!", 0o600)
    job = machine.ask(Verb.UP)
    assert (job.state, job.finding and job.finding.code) == (JobState.FAILED, "bundle-damaged")
    assert not any(machine.disk.exists(path) for path in images(machine))


def test_where_no_file_can_have_two_names_each_copy_is_read() -> None:
    machine = box(FILE)
    machine.disk.gives_names = False
    job = machine.ask(Verb.UP)
    assert job.state is JobState.SUCCEEDED, job
    assert not any(machine.disk.is_same(path, kept(machine, path.name)) for path in images(machine))
    assert {*images(machine)} <= {*machine.disk.digested}


def test_only_the_archives_that_are_lacking_get_their_names() -> None:
    machine = box(FILE)
    machine.ask(Verb.UP)
    machine.disk.remove(machine.paths.k3s_images / "more.tar")
    machine.power.remembers = True
    machine.power.labels.clear()
    assert machine.ask(Verb.UP).state is JobState.SUCCEEDED
    shared = [label for label in machine.power.labels if label.startswith("before: share")]
    assert shared == [f"before: share {machine.paths.k3s_images / 'more.tar'}"]


def test_jobs_of_one_agent_do_not_take_each_others_word() -> None:
    machine = box()
    job = Job(id="j-1", verb=Verb.UP, state=JobState.QUEUED)
    pattern = machine._engine(job, lambda *_: None)._context
    pattern.verified.add("a digest")  # the manager has one pattern for the contexts of all its jobs
    engine = Engine(replace(job, id="j-2"), (), pattern, JobClock(machine.clock), lambda *_: None)
    assert engine._context.verified == set()
