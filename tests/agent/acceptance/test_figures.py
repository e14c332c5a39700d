"""Every figure of the acceptance kit on simulated machines: its bound holds, and nothing unseen is ever good."""

import dataclasses
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from archipel_agent.acceptance import sources
from archipel_agent.acceptance.figures import Figure, Report, Verdict, percentile
from archipel_agent.acceptance.measuring import Ground, Wishes, measure
from archipel_agent.host.bench import SystemBench
from archipel_agent.host.clock import SystemClock
from archipel_agent.paths import Paths
from archipel_agent.ports import Completed, Ports
from archipel_agent.rehearsal.compose import rehearse
from archipel_agent.rehearsal.scenario import Scenario
from archipel_agent.rehearsal.world import SimulatedWorld
from tests.fakes.bench import ToldBench
from tests.fakes.clock import VirtualClock
from tests.fakes.disk import TreacherousDisk

PMIC = """\
   3V7_WL_SW_A current(0)=0.10000000A
      VDD_CORE_A current(7)=2.00000000A
   3V7_WL_SW_V volt(8)=3.70000000V
      VDD_CORE_V volt(15)=0.80000000V
          EXT5V_V volt(24)=5.10000000V
"""


REPORT = Report(
    made_at="",
    node_id="",
    hostname="",
    model="",
    serial="",
    kernel="",
    architecture="",
    agent_version="",
    clock="",
    quick=False,
    figures=(),
)


class Answers:
    """Runner that knows some commands by their first word."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def find(self, command: str) -> Path | None:
        return Path("/usr/bin") / command if command in self.known else None

    def run(self, argv: object, **_: object) -> Completed:
        words = tuple(str(word) for word in argv)  # type: ignore[attr-defined]  # always a sequence
        text = self.known.get(Path(words[0]).name, "")
        return Completed(argv=words, code=0, stdout=text, stderr="")


def machine() -> tuple[Ports, SimulatedWorld, TreacherousDisk]:
    """A rehearsed machine."""
    disk = TreacherousDisk()
    made = rehearse(Paths(), Scenario(), VirtualClock(), disk)
    return made.ports, made.world, disk


def figures(ports: Ports, bench: ToldBench | None = None, quick: bool = False) -> dict[str, Figure]:
    """Every figure by its name."""
    ground = Ground(
        ports=ports,
        bench=bench or ToldBench(),
        paths=Paths(),
        site=None,
        wishes=Wishes(quick=quick, load_seconds=60.0),
        tell=lambda _: None,
    )
    return {one.name: one for one in measure(ground)}


@pytest.mark.parametrize(("slow", "verdict"), [(0, Verdict.PASS), (20, Verdict.PASS), (21, Verdict.FAIL)])
def test_synced_writes_fail_once_more_than_one_in_a_hundred_is_slow(slow: int, verdict: Verdict) -> None:
    found = figures(machine()[0], ToldBench(slow=slow))["fdatasync-p99"]
    assert (found.verdict, found.unit) == (verdict, "ms")
    assert "2000 writes of 4096 bytes" in found.method


def test_a_disk_that_cannot_be_written_is_not_measurable_and_not_good() -> None:
    found = figures(machine()[0], ToldBench(fails=True))["fdatasync-p99"]
    assert (found.verdict, found.value) == (Verdict.NOT_MEASURABLE, None)
    assert "Read-only" in found.said


def test_the_scratch_file_lies_beside_k3s_data_where_there_is_some() -> None:
    ports, _, disk = machine()
    disk.make_directory(Paths().k3s_data)
    bench = ToldBench()
    figures(ports, bench)
    assert set(bench.asked) == {Paths().k3s_data / ".archipel-acceptance"}


def test_a_machine_that_becomes_too_hot_under_load_fails() -> None:
    ports, world, _ = machine()
    cool = figures(ports)["heat-under-load"]
    assert cool.verdict is Verdict.PASS
    world.state.temperature_c = 91.0
    hot = figures(ports)["heat-under-load"]
    assert (hot.verdict, (hot.value or 0) > 90) == (Verdict.FAIL, True)


def test_nothing_that_the_machine_does_not_tell_is_good() -> None:
    found = figures(machine()[0])
    for name in ("idle-power", "clock-offset", "start-up"):
        assert (found[name].verdict, found[name].value) == (Verdict.NOT_MEASURABLE, None), name
        assert found[name].said


def test_a_report_passes_only_when_every_figure_was_measured_and_is_good() -> None:
    good = Figure(name="a", title="A", verdict=Verdict.PASS)

    def whole(*figures: Figure) -> Verdict:
        return dataclasses.replace(REPORT, figures=figures).verdict

    assert whole(good) is Verdict.PASS
    assert whole() is Verdict.NOT_MEASURABLE
    assert whole(good, dataclasses.replace(good, verdict=Verdict.NOT_MEASURABLE)) is Verdict.NOT_MEASURABLE
    assert whole(good, dataclasses.replace(good, verdict=Verdict.FAIL)) is Verdict.FAIL


def test_power_is_the_sum_over_the_rails_that_tell_current_and_voltage() -> None:
    ports, _, _ = machine()
    told = sources.power(dataclasses.replace(ports, runner=Answers({"vcgencmd": PMIC})), Paths(), 1.0)
    assert told is not None
    assert told[0] == pytest.approx(0.1 * 3.7 + 2.0 * 0.8)


def test_power_is_read_from_a_sensor_at_the_supply() -> None:
    ports, _, disk = machine()
    disk.put(Path("/sys/class/hwmon/hwmon2/name"), b"ina226\n")
    disk.put(Path("/sys/class/hwmon/hwmon2/power1_input"), b"4250000\n")
    told = sources.power(ports, Paths(), 1.0)
    assert told is not None
    assert (told[0], "ina226" in told[1]) == (4.25, True)


def test_a_start_is_timed_by_the_line_that_tells_of_the_node() -> None:
    lines = (
        "[   41.250000] box k3s[700]: starting\n"
        '[   63.500000] box k3s[700]: "Fast updating node status as it just became ready"\n'
    )
    assert sources.ready_after(Answers({"journalctl": lines})) == (63.5, "")
    assert sources.ready_after(Answers({"journalctl": lines[:40]}))[0] is None


@pytest.mark.parametrize(
    ("known", "seconds"),
    [
        ({"chronyc": "50505054,ptb,1,1700000000.0,-0.000123,0.1"}, 0.000123),
        ({"timedatectl": "       Offset: -2.5ms\n"}, 0.0025),
        ({"chronyc": ",,0,0.0,0.0,0.0"}, None),
        ({}, None),
    ],
)
def test_the_clock_is_held_against_its_time_server_where_one_was_heard(
    known: dict[str, str], seconds: float | None
) -> None:
    told = sources.clock_offset(Answers(known))
    assert (told[0] if told else None) == (pytest.approx(seconds) if seconds is not None else None)


@hypothesis.settings(max_examples=40)
@hypothesis.given(st.lists(st.floats(0, 10), min_size=1, max_size=300))
def test_no_more_than_one_in_a_hundred_is_above_the_99th_percentile(values: list[float]) -> None:
    p99 = percentile(values, 0.99)
    assert p99 in values
    assert sum(value > p99 for value in values) <= len(values) / 100


def test_the_real_bench_measures_and_leaves_no_file(tmp_path: Path) -> None:
    bench = SystemBench(SystemClock().monotonic)
    taken = bench.synced_writes(tmp_path / "scratch", 20, 4096)
    assert len(taken) == 20
    assert all(one > 0 for one in taken)
    assert bench.sequential_read(tmp_path / "scratch", 1 << 20) > 0
    assert list(tmp_path.iterdir()) == []
