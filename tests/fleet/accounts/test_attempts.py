"""Attempts at a password: waits that grow, that end, and that many at once do not go around."""

import pytest

from archipel_fleet.accounts import attempts
from archipel_fleet.accounts.attempts import Attempts, TooManyAttempts


def fail(
    limit: Attempts, times: int, name: str = "anna", address: str = "192.0.2.1", now: float = 0.0
) -> None:
    for _ in range(times):
        limit.begin(name, address, now)


def wait_for(limit: Attempts, name: str, address: str, now: float) -> float:
    try:
        limit.begin(name, address, now)
    except TooManyAttempts as error:
        return error.wait
    return 0.0


def test_the_first_failures_cost_nothing_and_then_waits_double() -> None:
    limit, now, waits = Attempts(), 0.0, []
    for _ in range(12):
        wait = wait_for(limit, "anna", "192.0.2.1", now)
        waits.append(wait)
        if wait:
            now += wait
            limit.begin("anna", "192.0.2.1", now)
    assert waits[:5] == [0.0] * 5
    assert waits[5:10] == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_attempts_at_once_count_before_any_password_was_looked_at() -> None:
    limit = Attempts()
    fail(limit, attempts.FREE + 1)
    with pytest.raises(TooManyAttempts):
        limit.begin("anna", "192.0.2.1", 0.0)


def test_somebody_elses_attempts_keep_the_owner_out_for_seconds_only() -> None:
    limit = Attempts()
    for number in range(1000):
        wait_for(limit, "anna", f"198.51.100.{number % 250}", float(number))
    assert wait_for(limit, "anna", "192.0.2.1", 1000.0) <= attempts.LONGEST_WAIT["account"]


def test_an_address_that_tries_many_names_waits_longer_and_longer() -> None:
    limit, now = Attempts(), 0.0
    for number in range(20):
        now += wait_for(limit, f"name{number}", "198.51.100.7", now)
        if now:
            limit.begin(f"again{number}", "198.51.100.7", now)
    assert wait_for(limit, "other", "198.51.100.7", now) > 60
    assert wait_for(limit, "other", "192.0.2.1", now) == 0.0


def test_a_success_forgets_and_so_does_a_quarter_of_an_hour() -> None:
    limit = Attempts()
    fail(limit, attempts.FREE + 1)
    limit.succeeded("ANNA", "192.0.2.1")
    assert wait_for(limit, "anna", "192.0.2.1", 0.0) == 0.0
    fail(limit, attempts.FREE)
    assert wait_for(limit, "anna", "192.0.2.1", attempts.FORGOTTEN_AFTER + 1) == 0.0


def test_made_up_names_cost_no_memory() -> None:
    limit = Attempts()
    for number in range(attempts.REMEMBERED):
        limit.begin(f"n{number}", f"a{number}", 0.0)
    assert len(limit._counts) == attempts.REMEMBERED
