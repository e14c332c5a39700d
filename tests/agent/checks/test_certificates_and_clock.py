"""What the checks say of k3s' certificates and of a clock that differs from the fleet's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from archipel_agent.checks import clock, k3s_certificates
from archipel_agent.checks.base import Evidence
from archipel_agent.checks.fixes import FIXES
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.findings import Severity, Verdict
from tests.agent.checks.machines import GOOD, NOW, only

DAY = timedelta(days=1)


def with_days_left(days: float, **changed: object) -> Evidence:
    """A good site whose certificates end in so many days."""
    (one,) = GOOD.certificates or ()
    ending = replace(one, begins=NOW + (days - 365) * DAY, ends=NOW + days * DAY)
    return replace(GOOD, certificates=(ending,), **changed)  # type: ignore[arg-type]  # fields of Evidence


def test_certificates_that_hold_for_months_are_well() -> None:
    result = k3s_certificates.look(with_days_left(91))
    assert (result.verdict, result.said) == (Verdict.OK, "the first ends on 2027-02-21, in 91 days")


def test_with_a_restart_planned_the_end_is_a_hint_with_its_time() -> None:
    found = only(k3s_certificates.look(with_days_left(89, restart_at=NOW.replace(hour=2, minute=37))))
    assert (found.code, found.severity) == ("k3s-certificates-ending", Severity.HINT)
    assert found.params == {"until": "2027-02-19", "at": "02:37"}


def test_with_none_planned_it_is_a_warning() -> None:
    found = only(k3s_certificates.look(with_days_left(89)))
    assert (found.code, found.severity) == ("k3s-certificates-unplanned", Severity.WARNING)


def test_a_restart_that_did_not_help_is_a_warning() -> None:
    found = only(k3s_certificates.look(with_days_left(89, restart_at=NOW, restart_tried=True)))
    assert (found.code, found.severity) == ("k3s-certificates-not-renewed", Severity.WARNING)


def test_their_end_is_a_problem_with_the_file_as_evidence() -> None:
    found = only(k3s_certificates.look(with_days_left(0)))
    assert (found.code, found.severity) == ("k3s-certificates-ended", Severity.PROBLEM)
    assert "client-admin.crt" in found.evidence[0]


def test_certificates_that_are_not_valid_yet_are_a_problem() -> None:
    assert only(k3s_certificates.look(with_days_left(3650))).code == "k3s-certificates-early"


@pytest.mark.parametrize("days", [-400, 10, 300])
def test_by_an_unsure_clock_nothing_is_claimed(days: int) -> None:
    assert GOOD.time is not None
    unsure = replace(GOOD.time, checks_dates=False)
    assert k3s_certificates.look(with_days_left(days, time=unsure)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("certificates", [None, ()])
def test_before_there_are_any_nothing_is_claimed(certificates: tuple[()] | None) -> None:
    result = k3s_certificates.look(replace(GOOD, certificates=certificates))
    assert result.verdict is Verdict.UNDECIDED


def test_each_of_these_findings_has_a_repair() -> None:
    ends = ("ending", "unplanned", "not-renewed", "ended", "early")
    assert {f"k3s-certificates-{one}" for one in ends} <= set(FIXES)


@pytest.mark.parametrize(
    ("offset", "side"),
    [
        (timedelta(minutes=12), "+10 min"),
        (timedelta(hours=-3), "-3 h"),
        (timedelta(days=40), "+40 d"),
        (timedelta(days=-3700), "-10 y"),
    ],
)
def test_a_synchronised_clock_that_differs_from_the_fleets_is_named_with_how_far(
    offset: timedelta, side: str
) -> None:
    assert GOOD.time is not None
    apart = replace(GOOD.time, offset_ms=int(offset.total_seconds() * 1000))
    found = only(clock.look(replace(GOOD, time=apart)))
    assert (found.code, found.params["side"]) == ("clock-not-the-fleets", side)


def test_a_clock_that_agrees_with_the_fleet_is_well() -> None:
    assert GOOD.time is not None
    near = replace(GOOD.time, offset_ms=-250_000)
    assert clock.look(replace(GOOD, time=near)).verdict is Verdict.OK


def test_a_clock_the_fleet_finds_a_year_behind_is_behind() -> None:
    assert GOOD.time is not None
    said = replace(
        GOOD.time,
        quality=ClockQuality.WRONG,
        source=ClockSource.FLEET,
        offset_ms=-365 * 86_400_000,
        floor=NOW + 365 * DAY,
    )
    evidence = replace(GOOD, clock=ClockQuality.WRONG, time=said, not_before=said.floor)
    assert only(clock.look(evidence)).code == "clock-behind"
