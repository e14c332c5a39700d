"""The checks of the machine itself: rights, processor, memory, power, heat, clock."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from archipel_agent.checks import (
    architecture,
    clock,
    hardware,
    memory_pressure,
    power,
    rights,
    temperature,
)
from archipel_contract.facts import ClockQuality, NodeUsage, Throttling
from archipel_contract.findings import Severity, Verdict
from tests.agent.checks.machines import BLIND, FRESH, GOOD, only, with_facts, with_log


def test_root_may_set_up() -> None:
    assert rights.look(FRESH).verdict is Verdict.OK


def test_another_user_is_told_to_use_sudo() -> None:
    finding = only(rights.look(replace(FRESH, is_root=False)))
    assert finding.code == "not-root"
    assert finding.next_step.endswith("sudo archipel up")


@pytest.mark.parametrize("name", ["aarch64", "x86_64"])
def test_64_bit_processors_are_supported(name: str) -> None:
    assert architecture.look(with_facts(FRESH, architecture=name)).verdict is Verdict.OK


@pytest.mark.parametrize("name", ["armv7l", "armv6l", "riscv64", "i686"])
def test_other_processors_are_refused_by_name(name: str) -> None:
    finding = only(architecture.look(with_facts(FRESH, architecture=name)))
    assert finding.code == "architecture-unsupported"
    assert name in finding.summary


def test_32_bit_programs_on_a_64_bit_kernel_are_a_warning() -> None:
    finding = only(architecture.look(replace(FRESH, userland_bits=32)))
    assert (finding.code, finding.severity) == ("userland-32-bit", Severity.WARNING)


def test_without_an_architecture_nothing_is_decided() -> None:
    assert architecture.look(BLIND).verdict is Verdict.UNDECIDED


def test_a_board_sold_as_2_gb_passes_although_the_firmware_keeps_a_part() -> None:
    assert hardware.look(with_facts(FRESH, memory_bytes=1_900_000_000)).verdict is Verdict.OK


def test_a_1_gb_board_is_too_small_for_a_server() -> None:
    finding = only(hardware.look(with_facts(FRESH, memory_bytes=950_000_000)))
    assert (finding.code, finding.severity) == ("memory-too-small", Severity.PROBLEM)
    assert finding.params["memory"] == "950 MB"


def test_little_memory_and_one_core_are_two_warnings() -> None:
    result = hardware.look(with_facts(FRESH, memory_bytes=1_500_000_000, cpus=1))
    assert [finding.code for finding in result.findings] == ["memory-small", "cpu-few"]
    assert {finding.severity for finding in result.findings} == {Severity.WARNING}


@pytest.mark.parametrize("lacking", ["cpus", "memory_bytes"])
def test_hardware_that_cannot_be_read_in_full_is_not_decided(lacking: str) -> None:
    assert hardware.look(with_facts(FRESH, **{lacking: None})).verdict is Verdict.UNDECIDED


def test_low_voltage_now_and_low_voltage_earlier_are_told_apart() -> None:
    now = replace(
        GOOD, usage=NodeUsage(throttling=Throttling(under_voltage=True, under_voltage_since_boot=True))
    )
    before = replace(
        GOOD, usage=NodeUsage(throttling=Throttling(under_voltage=False, under_voltage_since_boot=True))
    )
    assert only(power.look(now)).code == "under-voltage"
    assert only(power.look(before)).severity is Severity.HINT


def test_a_machine_without_a_voltage_report_is_not_decided() -> None:
    assert power.look(BLIND).verdict is Verdict.UNDECIDED
    assert power.look(GOOD).verdict is Verdict.OK


def test_a_pi_is_hot_at_80_degrees_and_a_pc_is_not() -> None:
    warm = replace(GOOD, usage=NodeUsage(temperature_c=82.0))
    assert only(temperature.look(warm)).code == "heat"
    assert temperature.look(with_facts(warm, raspberry_pi=False)).verdict is Verdict.OK


def test_throttling_is_heat_unless_the_power_is_low() -> None:
    slowed = Throttling(throttled=True, under_voltage=False)
    assert only(temperature.look(replace(GOOD, usage=NodeUsage(throttling=slowed)))).code == "heat-throttled"
    starved = NodeUsage(temperature_c=50.0, throttling=Throttling(throttled=True, under_voltage=True))
    assert temperature.look(replace(GOOD, usage=starved)).verdict is Verdict.OK


def test_without_a_sensor_heat_is_not_decided() -> None:
    assert temperature.look(BLIND).verdict is Verdict.UNDECIDED


def test_full_memory_is_named_with_its_share() -> None:
    usage = NodeUsage(memory_used_bytes=3_900_000_000, memory_total_bytes=4_000_000_000)
    finding = only(memory_pressure.look(replace(GOOD, usage=usage)))
    assert finding.params["used"] == "98 % of 4.0 GB used"


def test_an_eviction_for_memory_is_found_even_when_there_is_room_again() -> None:
    line = 'I1122 "Eviction manager: attempting to reclaim" resourceName="memory"'
    finding = only(memory_pressure.look(with_log(line)))
    assert finding.evidence == (line,)


def test_memory_that_cannot_be_read_is_not_decided() -> None:
    assert memory_pressure.look(BLIND).verdict is Verdict.UNDECIDED
    assert memory_pressure.look(GOOD).verdict is Verdict.OK


def test_a_synchronised_clock_passes() -> None:
    assert clock.look(FRESH).verdict is Verdict.OK


def test_1970_is_in_the_past_whatever_the_kernel_says() -> None:
    finding = only(clock.look(replace(FRESH, now=datetime(1970, 1, 1, 0, 3, tzinfo=UTC))))
    assert (finding.code, finding.severity) == ("clock-behind", Severity.PROBLEM)
    assert "1970-01-01" in finding.summary


def test_a_clock_before_the_last_known_time_is_in_the_past() -> None:
    assert only(clock.look(replace(FRESH, now=datetime(2026, 10, 1, tzinfo=UTC)))).code == "clock-behind"


@pytest.mark.parametrize("floor", [None, datetime(2026, 11, 1, tzinfo=UTC)])
def test_ten_years_ahead_is_found_with_and_without_a_last_known_time(floor: datetime | None) -> None:
    ahead = replace(FRESH, now=datetime(2036, 11, 22, tzinfo=UTC), not_before=floor)
    assert only(clock.look(ahead)).code == "clock-ahead"


def test_a_clock_judged_wrong_elsewhere_is_wrong_here() -> None:
    assert only(clock.look(replace(FRESH, clock=ClockQuality.WRONG))).code == "clock-ahead"


def test_nobody_keeping_the_clock_is_worse_without_a_battery() -> None:
    loose = replace(FRESH, clock=ClockQuality.PLAUSIBLE)
    assert only(clock.look(loose)).severity is Severity.HINT
    assert only(clock.look(with_facts(loose, has_rtc=False))).code == "clock-no-rtc"


def test_a_clock_of_unknown_quality_is_not_decided() -> None:
    assert clock.look(BLIND).verdict is Verdict.UNDECIDED


def test_k3s_refusing_the_time_is_believed() -> None:
    line = "Error: server time isn't set properly: 1970-01-01 00:00:10 +0000 UTC"
    assert only(clock.look(with_log(line))).evidence == (line,)
