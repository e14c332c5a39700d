"""Samples of many turns become one point, whatever the clocks do."""

from dataclasses import replace

import pytest

from archipel_agent.link.sampler import Sampler, joined, values
from archipel_contract.facts import NodeUsage
from archipel_contract.link.messages import METRIC_NAMES, Metrics
from archipel_contract.status import Report
from tests.fakes.service import report

MIB = 1 << 20
NOW = 1_795_000_000_000


def using(**usage: float | int | None) -> Report:
    """A report with this usage and nothing else known."""
    one = report()
    return replace(one, node=replace(one.node, usage=NodeUsage(**usage)))  # type: ignore[arg-type]  # mixed columns


def column(metrics: Metrics | None, name: str) -> float | None:
    """The value of one column in a message with one point."""
    assert metrics is not None and len(metrics.points) == 1
    return metrics.points[0][1 + METRIC_NAMES.index(name)]


def test_a_point_is_the_mean_of_all_samples_since_the_last_one() -> None:
    sampler = Sampler(30.0)
    for turn, cpu in enumerate((10.0, 20.0, 30.0)):
        assert sampler.note(using(cpu_percent=cpu), NOW + turn * 10_000, turn * 10.0) is None
    made = sampler.note(using(cpu_percent=40.0), NOW + 30_000, 30.0)
    assert column(made, "cpu_percent") == 25.0
    assert made is not None and made.start == NOW + 30_000 and made.points[0][0] == 0


def test_the_next_point_knows_nothing_of_the_samples_before_it() -> None:
    sampler = Sampler(10.0)
    sampler.note(using(cpu_percent=100.0), NOW, 0.0)
    sampler.note(using(cpu_percent=100.0), NOW, 10.0)
    assert column(sampler.note(using(cpu_percent=2.0), NOW, 20.0), "cpu_percent") == 2.0


def test_values_are_rounded_to_what_can_be_told_apart() -> None:
    usage = {
        "cpu_percent": 12.345,
        "load_1m": 0.4567,
        "memory_used_bytes": 700 * MIB + MIB // 3,
        "disk_used_bytes": 9 * MIB + 5,
        "temperature_c": 51.26,
    }
    sampler = Sampler(1.0)
    sampler.note(using(**usage), NOW, 0.0)
    made = sampler.note(using(**usage), NOW, 1.0)
    assert made is not None and made.points == ((0, 12.3, 0.46, 700, 9, 51.3),)


def test_every_column_of_the_contract_is_sampled() -> None:
    usage = NodeUsage(
        cpu_percent=1.0, load_1m=1.0, memory_used_bytes=MIB, disk_used_bytes=MIB, temperature_c=1.0
    )
    assert values(usage) == (1.0,) * len(METRIC_NAMES)


def test_what_could_not_be_read_is_null_and_does_not_lower_the_mean() -> None:
    sampler = Sampler(10.0)
    sampler.note(using(cpu_percent=None, temperature_c=None), NOW, 0.0)
    made = sampler.note(using(cpu_percent=50.0, temperature_c=None), NOW, 10.0)
    assert column(made, "cpu_percent") == 50.0
    assert column(made, "temperature_c") is None


def test_a_wall_clock_that_jumps_neither_hurries_nor_holds_back_a_point() -> None:
    sampler = Sampler(20.0)
    sampler.note(using(cpu_percent=1.0), 0, 100.0)
    assert sampler.note(using(cpu_percent=1.0), NOW, 110.0) is None
    made = sampler.note(using(cpu_percent=1.0), NOW - 10**12, 120.0)
    assert made is not None and made.start == NOW - 10**12


def test_points_keep_their_pace_although_turns_come_a_little_late() -> None:
    sampler, times = Sampler(10.0), []
    for turn in range(100):
        moment = turn * 3.1
        if sampler.note(using(cpu_percent=1.0), NOW, moment):
            times.append(moment)
    assert len(times) == 30


def test_after_a_long_sleep_there_is_one_point_and_no_burst() -> None:
    sampler = Sampler(10.0)
    sampler.note(using(cpu_percent=1.0), NOW, 0.0)
    assert sampler.note(using(cpu_percent=1.0), NOW, 5000.0) is not None
    assert sampler.note(using(cpu_percent=1.0), NOW, 5001.0) is None
    assert sampler.note(using(cpu_percent=1.0), NOW, 5009.9) is None
    assert sampler.note(using(cpu_percent=1.0), NOW, 5010.0) is not None


def test_an_hour_of_points_becomes_one_message_with_times_from_its_start() -> None:
    points = tuple(Metrics(start=NOW + n * 300_000, points=((0, float(n)),)) for n in range(12))
    made = joined(points)
    assert made.start == NOW
    assert made.points == tuple((n * 300, float(n)) for n in range(12))


def test_points_from_before_a_jump_of_the_clock_keep_their_order() -> None:
    made = joined((Metrics(start=NOW, points=((0, 1.0),)), Metrics(start=0, points=((0, 2.0),))))
    assert [row[1] for row in made.points] == [1.0, 2.0]
    assert made.points[1][0] == -NOW / 1000


def test_nothing_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="no points"):
        joined(())
