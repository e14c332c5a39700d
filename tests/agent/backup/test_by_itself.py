"""The agent makes backups by itself: in its own turns, one at a time, and without a heap after a long night."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_agent.backup import record
from archipel_agent.core import Core
from archipel_agent.settings import Settings
from archipel_contract.jobs import JobState, Verb
from tests.agent.backup.machine import Machine, site
from tests.agent.backup.test_of_an_adopted_site import adopted
from tests.agent.flash.planted import PI, mount, partition


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[tuple[Machine, Core, Path]]:
    """A site with a plan, its agent, and the stick."""
    stick = tmp_path / "stick"
    stick.mkdir()
    settings = Settings(backup_to=str(stick), backup_every=3600.0)
    machine = site(tmp_path / "root", settings)
    core = Core(machine.ports, machine.paths, settings, machine.store.value("node_id") or "", machine.store)
    yield machine, core, stick
    machine.close()


def turn(core: Core) -> None:
    core.turn()
    assert core.manager is not None and core.manager.wait_idle(15.0)


def test_a_turn_begins_one_when_it_is_due_and_the_next_turn_does_not(
    planned: tuple[Machine, Core, Path],
) -> None:
    machine, core, stick = planned
    machine.clock.advance(600.0)
    turn(core)
    turn(core)
    assert len(list(stick.iterdir())) == 1
    (job,) = [one for one in core.jobs().jobs if one.verb is Verb.BACKUP]
    assert job.state is JobState.SUCCEEDED and job.asked_by == "schedule"


def test_an_adopted_site_is_backed_up_by_itself_too(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    machine = adopted(tmp_path / "root")
    settings = Settings(backup_to=str(stick), backup_every=3600.0)
    core = Core(machine.ports, machine.paths, settings, machine.store.value("node_id") or "", machine.store)
    machine.clock.advance(600.0)
    turn(core)
    assert len(list(stick.iterdir())) == 1
    machine.close()


def test_after_a_day_off_one_is_made_and_not_twenty_four(planned: tuple[Machine, Core, Path]) -> None:
    machine, core, stick = planned
    for _ in range(5):
        machine.clock.advance(86400.0)
        for _ in range(3):
            turn(core)
    assert len(list(stick.iterdir())) == 5


def test_a_stick_that_is_away_is_a_finding_until_it_is_back(planned: tuple[Machine, Core, Path]) -> None:
    machine, core, stick = planned
    stick.rmdir()
    machine.clock.advance(600.0)
    turn(core)
    trouble = record.problem(machine.store)
    assert trouble is not None and trouble.code == "backup-target-away"
    assert "backup-target-away" in codes(core)
    stick.mkdir()
    machine.clock.advance(3600.0)
    turn(core)
    assert "backup-target-away" not in codes(core) and len(list(stick.iterdir())) == 1


def test_a_stick_that_is_not_mounted_is_the_sites_own_disk(planned: tuple[Machine, Core, Path]) -> None:
    machine, core, stick = planned
    card = {**PI, **partition("sda", "sda1", "8:1"), "sys/block/sda/size": "1"}
    for name, text in card.items():
        machine.ports.disk.write(machine.paths.at(name), text.encode())
    assert "backup-same-disk" in codes(core)
    mounts = PI["proc/self/mountinfo"] + mount("8:1", str(stick), "/dev/sda1")
    machine.ports.disk.write(machine.paths.at("proc/self/mountinfo"), mounts.encode())
    assert "backup-same-disk" not in codes(core)


def codes(core: Core) -> list[str]:
    return [one.code for result in core.checks().results for one in result.findings]
