"""What is said of the medium, of the UPS and of the watchdog, and what is left unsaid."""

from dataclasses import replace
from typing import Any

import pytest

from archipel_agent.checks import flash, ups, watchdog
from archipel_agent.flash.ledger import Rates
from archipel_agent.flash.seen import FlashSeen
from archipel_agent.flash.wear import Wear, of_device
from archipel_agent.power.seen import NOT_ASKED, UpsSeen, WatchdogSeen
from archipel_contract.findings import CheckResult, Verdict
from tests.agent.checks.machines import GOOD, only
from tests.agent.flash.planted import EMMC, PATHS, PI, planted

MB = 1_000_000


def with_flash(**values: Any) -> CheckResult:
    devices = values.pop("devices", (Wear(device="mmcblk0", kind="sd", name="SC32G"),))
    return flash.look(replace(GOOD, flash=FlashSeen(devices=devices, **values)))


def with_ups(**values: Any) -> CheckResult:
    return ups.look(replace(GOOD, ups=UpsSeen(**{"name": "rack@127.0.0.1", "supply": "line", **values})))


def test_a_recorded_emmc_near_its_end_is_named_with_how_much_is_used() -> None:
    found = only(with_flash(devices=(of_device(planted(EMMC), PATHS, "mmcblk0"),)))
    assert (found.code, found.params["device"], found.params["used"]) == ("flash-ending", "mmcblk0", "90 %")


def test_a_recorded_sd_card_that_says_nothing_is_no_finding() -> None:
    result = with_flash(devices=(of_device(planted(PI), PATHS, "mmcblk0"),))
    assert result.verdict is Verdict.OK
    assert "SC32G" in result.said and "not known yet" in result.said


@pytest.mark.parametrize(
    ("wear", "code"),
    [
        ({"used_percent": 110}, "flash-worn"),
        ({"used_percent": 100}, "flash-worn"),
        ({"spare": 3}, "flash-worn"),
        ({"failing": True}, "flash-worn"),
        ({"used_percent": 80}, "flash-ending"),
        ({"spare": 2}, "flash-ending"),
    ],
)
def test_a_medium_that_ends_says_so(wear: dict[str, Any], code: str) -> None:
    assert only(with_flash(devices=(Wear(device="mmcblk0", kind="emmc", **wear),))).code == code


@pytest.mark.parametrize("wear", [{"used_percent": 79}, {"spare": 1}, {"errors": 7}])
def test_one_that_lasts_is_no_finding(wear: dict[str, Any]) -> None:
    assert with_flash(devices=(Wear(device="mmcblk0", kind="emmc", **wear),)).verdict is Verdict.OK


def test_a_passed_budget_names_who_wrote_most() -> None:
    found = only(
        with_flash(
            rates=Rates(300 * MB, 2500 * MB), budget=2240.0 * MB, writers=("chatty (pid 7) wrote 9000 MB",)
        )
    )
    assert found.code == "flash-budget-passed"
    assert (found.params["written"], found.params["budget"]) == ("2500 MB", "2240 MB")
    assert found.evidence == ("chatty (pid 7) wrote 9000 MB",)


def test_one_busy_day_does_not_pass_a_budget_that_the_week_keeps() -> None:
    assert with_flash(rates=Rates(9000 * MB, 2000 * MB), budget=2240.0 * MB).verdict is Verdict.OK


def test_errors_and_a_file_system_that_went_read_only_show_the_kernels_lines() -> None:
    line = "2026-11-22T07:00:00 pi kernel: I/O error, dev mmcblk0, sector 8192"
    result = with_flash(errors=(line,), remounted=("/",))
    assert [one.code for one in result.findings] == ["flash-read-only", "flash-errors"]
    assert all(one.evidence == (line,) for one in result.findings)


def test_a_ups_that_is_silent_is_a_finding_and_one_that_was_not_asked_yet_is_not() -> None:
    silent = only(with_ups(supply="unknown", problem="127.0.0.1:3493 does not answer"))
    assert (silent.code, silent.params["problem"]) == ("ups-unknown", "127.0.0.1:3493 does not answer")
    assert with_ups(supply="unknown", problem=NOT_ASKED).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        ({"supply": "line"}, []),
        ({"supply": "battery", "charge": "60 %"}, ["ups-on-battery"]),
        ({"supply": "low", "shutting_down": True}, ["ups-shutting-down"]),
        ({"supply": "battery", "shutting_down": True}, ["ups-shutting-down"]),
        (
            {"supply": "low", "shutting_down": True, "failed": "no bus"},
            ["ups-shutdown-failed", "ups-shutting-down"],
        ),
        ({"supply": "line", "battery_worn": True}, ["ups-battery-worn"]),
    ],
)
def test_what_a_ups_says(seen: dict[str, Any], codes: list[str]) -> None:
    assert [one.code for one in with_ups(**seen).findings] == codes


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (WatchdogSeen(), Verdict.OK),
        (WatchdogSeen(present=True, state="inactive"), Verdict.OK),
        (WatchdogSeen(present=True, asked_for=True), Verdict.UNDECIDED),
        (WatchdogSeen(present=True, asked_for=True, state="active", timeout=14), Verdict.OK),
        (WatchdogSeen(present=True, asked_for=True, state="inactive", timeout=15), Verdict.FOUND),
    ],
)
def test_a_watchdog_that_was_asked_for_and_does_not_count_is_found(
    seen: WatchdogSeen, verdict: Verdict
) -> None:
    assert watchdog.look(replace(GOOD, watchdog=seen)).verdict is verdict
