"""The power-cut loop on disks that forget: what was acknowledged and is gone is found, at every instant of the cut."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from archipel_agent.acceptance import power_cut
from archipel_agent.acceptance.figures import Verdict
from archipel_agent.acceptance.power_cut import SLOTS, Loop, Marks
from archipel_agent.paths import Paths
from tests.fakes.disk import TreacherousDisk
from tests.fakes.power import Power, PowerCut

PATHS = Paths()


class ForgetfulDisk(TreacherousDisk):
    """A disk whose fsync promises what it does not keep: the last writes before a cut are gone after it."""

    def __init__(self, power: Power, forgets: int) -> None:
        super().__init__(power)
        self._forgets = forgets
        self._held_before: list[tuple[Path, bytes | None]] = []

    def write(self, path: Path, data: bytes, mode: int = 0o644, wipes: bool = False) -> None:
        """See ports.Disk."""
        if path.name.startswith("mark-"):
            self._held_before.append((path, self.read(path) if self.exists(path) else None))
        super().write(path, data, mode, wipes)

    def lose(self) -> None:
        """What the cache of the disk held is gone."""
        for path, data in reversed(self._held_before[-self._forgets :]):
            if data is None:
                self.remove(path)
            else:
                super().write(path, data, 0o600)


def begun(disk: TreacherousDisk) -> Loop:
    """A loop with its first round under way."""
    return power_cut.begin_round(disk, PATHS, Loop(wanted=3), "boot-1")


def written(disk: TreacherousDisk, count: int, first: int = 0) -> int:
    """So many marks; the last one that was acknowledged."""
    return last_of(
        number for _, number in zip(range(count), power_cut.write_marks(disk, PATHS, first), strict=False)
    )


def last_of(numbers: Iterable[int]) -> int:
    """The last of some numbers."""
    return list(numbers)[-1]


@pytest.mark.parametrize("instant", range(1, 260, 3))
def test_an_honest_disk_passes_wherever_the_power_goes(instant: int) -> None:
    power = Power()
    disk = TreacherousDisk(power)
    loop = begun(disk)
    power.crash_at(instant)
    seen = 0
    with pytest.raises(PowerCut):
        for number in power_cut.write_marks(disk, PATHS, loop.first):
            seen = number
    power.back()
    disk.after_power_cut()
    kept = power_cut.load(disk, PATHS)
    assert kept == loop
    judged = power_cut.end_round(loop, power_cut.look(disk, PATHS), seen, 40.0, ())
    wanted = Verdict.PASS if power_cut.look(disk, PATHS).highest else Verdict.NOT_MEASURABLE
    assert judged.rounds[0].verdict is wanted, judged.rounds[0].said


@pytest.mark.parametrize("lost", [1, 5, SLOTS - 1])
def test_a_disk_that_forgets_what_it_promised_is_caught_by_the_number_that_was_seen(lost: int) -> None:
    disk = ForgetfulDisk(Power(), lost)
    loop = begun(disk)
    seen = written(disk, 100)
    disk.lose()
    judged = power_cut.end_round(loop, power_cut.look(disk, PATHS), seen, 40.0, ())
    assert judged.rounds[0].verdict is Verdict.FAIL
    assert f"{lost} acknowledged writes are lost" in judged.rounds[0].said


def test_without_a_witness_a_round_is_never_good() -> None:
    disk = TreacherousDisk()
    loop = begun(disk)
    written(disk, 50)
    judged = power_cut.end_round(loop, power_cut.look(disk, PATHS), None, 40.0, ())
    assert judged.rounds[0].verdict is Verdict.NOT_MEASURABLE


def test_a_gap_and_a_damaged_mark_are_found_also_without_a_witness() -> None:
    disk = TreacherousDisk()
    loop = begun(disk)
    written(disk, 100)
    disk.remove(power_cut.place(PATHS) / "mark-01")
    disk.write(power_cut.place(PATHS) / "mark-02", b'{"number": 98')
    marks = power_cut.look(disk, PATHS)
    assert (marks.highest, marks.missing, marks.damaged) == (100, (97, 98), ("mark-02",))
    assert power_cut.end_round(loop, marks, None, 40.0, ()).rounds[0].verdict is Verdict.FAIL


def test_k3s_that_does_not_come_up_or_has_empty_files_fails_the_round() -> None:
    marks = Marks(highest=9, missing=(), damaged=())
    for ready, empty in ((None, ()), (40.0, ("/var/lib/rancher/k3s/server/token",))):
        judged = power_cut.end_round(Loop(wanted=1, boot_id="b"), marks, 9, ready, empty)
        assert judged.rounds[0].verdict is Verdict.FAIL


def test_the_loop_goes_on_with_the_next_round_and_ends_after_the_last() -> None:
    disk = TreacherousDisk()
    loop = begun(disk)
    for number in range(1, 4):
        assert loop.number == number
        seen = written(disk, 40, loop.first)
        loop = power_cut.end_round(loop, power_cut.look(disk, PATHS), seen, 40.0, ())
        power_cut.keep(disk, PATHS, loop)
        loop = power_cut.load(disk, PATHS) or loop
        if not loop.is_over:
            loop = power_cut.begin_round(disk, PATHS, loop, f"boot-{number + 1}")
    assert loop.is_over
    assert [one.verdict for one in loop.rounds] == [Verdict.PASS] * 3
    assert loop.rounds[-1].written == 120
    power_cut.forget(disk, PATHS)
    assert power_cut.load(disk, PATHS) is None
