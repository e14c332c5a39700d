"""The watch over the medium: when it reads and writes, what it shows, and who it asks."""

from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.flash.ledger import HOUR
from archipel_agent.flash.watch import KEPT_AS, FlashWatch
from archipel_agent.ports import CommandFailed, Ports
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.memory_disk import MemoryDisk
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.facts import NodeUsage
from tests.agent.flash.planted import EMMC, PATHS, PI, mount, planted, stat
from tests.fakes.clock import VirtualClock
from tests.fakes.processes import ScriptedRunner

LINE = "2026-11-22T07:00:00+0000 pi kernel: I/O error, dev mmcblk0, sector 8192 op 0x1:(WRITE)"


def commands() -> ScriptedRunner:
    """A machine with a journal that has a line about its card, and without smartctl."""

    def answer(words: tuple[str, ...]) -> str:
        if words[0] != "journalctl":
            raise CommandFailed(f"{words[0]} cannot be started")
        return LINE + "\n"

    return ScriptedRunner(answer)


class CountedStore(Store):
    """Counts how often something is kept."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.kept = 0

    def keep(self, **facts: str | None) -> None:
        """See Store."""
        self.kept += 1
        super().keep(**facts)


class Box:
    """A Pi whose card is written to at a steady rate."""

    def __init__(self, root: Path, files: dict[str, str] = PI) -> None:
        self.clock, self.disk, self.commands = VirtualClock(), planted(files), commands()
        plain = rehearse(PATHS, Scenario(), self.clock, MemoryDisk()).ports
        self.ports: Ports = replace(plain, disk=self.disk, runner=self.commands)
        self.database = Database(root / "state.db")
        self.store = CountedStore(self.database)
        self.sectors = 0
        self.watch = self.agent()

    def agent(self) -> FlashWatch:
        return FlashWatch(self.ports, PATHS, self.store, "auto")

    def runs(self, hours: float, mb_a_day: int) -> None:
        """Let time pass in turns of a minute."""
        for _ in range(int(hours * 60)):
            self.clock.advance(60.0)
            self.sectors += mb_a_day * 1_000_000 // 512 // 1440
            self.disk.write(PATHS.at("sys/block/mmcblk0/stat"), stat(self.sectors).encode())
            self.watch.count()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.watch.count()
    return made


def test_a_day_of_writing_is_shown_and_took_one_small_write_an_hour(box: Box) -> None:
    box.runs(24, mb_a_day=3000)
    shown = box.watch.shown(NodeUsage())
    assert shown.written_mb_per_day == pytest.approx(3000, rel=0.01)
    assert shown.written_mb_per_day_week == pytest.approx(3000, rel=0.01)
    assert box.store.kept <= 26
    assert len(box.store.value(KEPT_AS) or "") < 1200
    box.database.close()


def test_an_agent_that_starts_again_and_again_goes_on_and_writes_no_more_often(box: Box) -> None:
    for _ in range(48):
        box.runs(0.5, mb_a_day=3000)
        box.watch = box.agent()
        box.watch.count()
    assert box.store.kept <= 26
    assert box.watch.shown(NodeUsage()).written_mb_per_day == pytest.approx(3000, rel=0.01)
    box.database.close()


def test_a_command_that_only_looks_shows_what_the_agent_has_counted_and_writes_nothing(box: Box) -> None:
    box.runs(5, mb_a_day=3000)
    kept = box.store.kept
    assert box.agent().shown(NodeUsage()).written_mb_per_day == pytest.approx(3000, rel=0.01)
    assert box.store.kept == kept
    box.database.close()


def test_before_anything_is_known_nothing_is_shown(box: Box) -> None:
    assert box.watch.shown(NodeUsage()) == NodeUsage()
    box.database.close()


def test_the_kernels_log_is_read_once_an_hour_and_who_writes_only_for_the_doctor(box: Box) -> None:
    box.disk.write(PATHS.at("proc/812/io"), b"rchar: 1\nwrite_bytes: 52428800\ncancelled_write_bytes: 0\n")
    box.disk.write(PATHS.at("proc/812/comm"), b"k3s-server\n")
    for _ in range(3):
        box.watch.seen()
        box.clock.advance(60.0)
    seen = box.watch.seen()
    assert (seen.errors, seen.writers) == ((LINE,), ())
    assert [words[0] for words in box.commands.ran] == ["journalctl"]
    box.watch.look_thoroughly()
    assert box.watch.seen().writers == ("k3s-server (pid 812) wrote 52 MB since its start",)
    box.clock.advance(HOUR)
    assert box.watch.seen().writers
    box.database.close()


def test_an_emmc_shows_its_wear_beside_the_load(tmp_path: Path) -> None:
    box = Box(tmp_path, EMMC)
    seen = box.watch.seen()
    assert seen.budget == pytest.approx(62333952 * 512 * 0.07)
    assert box.watch.shown(NodeUsage()).wear_percent == 90
    box.database.close()


def test_a_file_system_the_kernel_made_read_only_is_seen_and_one_meant_so_is_not(tmp_path: Path) -> None:
    mounts = (
        mount("179:2", "/", "/dev/mmcblk0p2", options="ro,errors=remount-ro")
        + mount("179:3", "/opt/vendor", "/dev/mmcblk0p3", options="ro")
        + mount("7:1", "/snap/x", "/dev/loop1", "squashfs", "ro")
        + mount("8:1", "/media/stick", "/dev/sda1", options="ro")
    )
    fstab = "# <file system>\n/dev/mmcblk0p3 /opt/vendor ext4 defaults,ro 0 0\n"
    box = Box(tmp_path, {**PI, "proc/self/mountinfo": mounts, "etc/fstab": fstab})
    assert box.watch.seen().remounted == ("/",)
    box.database.close()


def test_a_machine_that_shows_nothing_of_its_disks_costs_nothing_and_says_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path, {})
    box.runs(3, mb_a_day=100)
    assert box.watch.seen().devices == ()
    assert box.store.kept == 0
    box.database.close()
