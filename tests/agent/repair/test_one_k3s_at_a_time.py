"""A turn and a job may want to start k3s at the same moment: it is started once, and while a job runs by the job."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archipel_agent.core import Core
from archipel_agent.host.disk import SystemDisk
from archipel_agent.k3s.supervised import SupervisedKeeper
from archipel_agent.ports import K3sHost, UnitSpec
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.jobs import JobRequest, JobState, Verb
from archipel_contract.status import K3sStatus, ServiceState
from tests.chaos.node import STICK, Node

TOGETHER_SECONDS = 0.5  # how long one who starts waits for another to be as far; with the lock nobody comes


class K3sWithoutSystemd:
    """A K3sHost that notes which thread starts it, and does something while a turn looks; all else is the inner one's."""

    def __init__(self, inner: K3sHost) -> None:
        self._inner = inner
        self.started_by: list[str] = []
        self.while_looking: list[Any] = []  # called once, by the first that asks for the status
        self.may_stop = threading.Event()
        self.may_stop.set()

    def status(self) -> K3sStatus:
        """See ports.K3sHost."""
        seen = replace(self._inner.status(), kept_by="supervised")
        if self.while_looking:
            self.while_looking.pop()()
        return seen

    def start(self) -> None:
        """See ports.K3sHost."""
        self.started_by.append(threading.current_thread().name)
        self._inner.start()

    def stop(self) -> None:
        """See ports.K3sHost."""
        assert self.may_stop.wait(10)
        self._inner.stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Core, K3sWithoutSystemd]]:
    """The core of a site whose k3s the agent itself has to keep."""
    node, database = Node(), Database(tmp_path / "state.db")
    k3s = K3sWithoutSystemd(node.ports.k3s)
    core = Core(replace(node.ports, k3s=k3s), node.paths, Settings(), "n-0000000000000000", Store(database))
    does(core, JobRequest(verb=Verb.UP, options={"k3s": str(STICK)}))
    k3s.started_by.clear()
    yield core, k3s
    database.close()


def does(core: Core, request: JobRequest) -> None:
    """Take a job to its end."""
    job = core.start_job(request, "anna")
    assert core.manager is not None and core.manager.wait_idle(15)
    assert core.job(job.id).state is JobState.SUCCEEDED


def test_a_turn_starts_a_k3s_that_has_ended(site: tuple[Core, K3sWithoutSystemd]) -> None:
    core, k3s = site
    k3s.stop()
    core.turn()
    assert k3s.started_by == [threading.current_thread().name]
    assert k3s.status().state is ServiceState.STARTING


def test_a_turn_that_began_just_before_a_job_leaves_k3s_to_the_job(
    site: tuple[Core, K3sWithoutSystemd],
) -> None:
    core, k3s = site
    k3s.stop()
    k3s.may_stop.clear()  # the job stays where it ends k3s, until the turn is over
    restart = JobRequest(verb=Verb.RESTART)
    k3s.while_looking.append(lambda: core.start_job(restart, "anna"))
    report = core.turn()
    assert report.did == ("left k3s to the job",)
    assert k3s.started_by == []
    k3s.may_stop.set()
    assert core.manager is not None and core.manager.wait_idle(15)
    assert set(k3s.started_by) == {"job-restart"}
    assert core.jobs().jobs[0].state is JobState.SUCCEEDED


class SlowDisk(SystemDisk):
    """A disk whose writes last until another writes as well, or nobody comes."""

    def __init__(self) -> None:
        super().__init__()
        self.together = threading.Barrier(2)

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """See ports.Disk."""
        if path.name == "k3s.json":
            with contextlib.suppress(threading.BrokenBarrierError):
                self.together.wait(TOGETHER_SECONDS)
        super().write(path, data, mode, wipes)


@pytest.mark.real_process
def test_two_that_start_k3s_at_the_same_instant_start_one(tmp_path: Path) -> None:
    log = tmp_path / "log/k3s.log"
    keeper = SupervisedKeeper(SlowDisk(), tmp_path / "run", tmp_path / "state", log)
    (tmp_path / "state").mkdir()
    keeper.install(UnitSpec(argv=("sh", "-c", "echo begun; exec sleep 60"), unit=""))
    both = [threading.Thread(target=keeper.start) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    try:
        while not keeper.log(5):
            threading.Event().wait(0.01)
        assert keeper.status().restarts == 0
        assert keeper.log(5) == ("begun",)
    finally:
        keeper.stop()
