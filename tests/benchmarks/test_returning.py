"""The model of a returning fleet: what it must say of cases that can be reckoned by hand."""

import pytest

from benchmarks.returning import model


def test_a_fast_broker_has_everybody_back_when_the_spread_is_over() -> None:
    told = model(2000, per_second=100_000.0, spread=50.0)
    assert told.failed == 0 and 49.5 < told.seconds < 50.1 and told.longest_wait < 0.01


def test_a_broker_at_its_limit_takes_as_long_as_its_handshakes_take() -> None:
    told = model(3000, per_second=100.0, spread=28.0, patience=60.0)
    assert told.failed == 0 and told.seconds == pytest.approx(30.0, abs=0.5)


def test_a_crowd_without_a_spread_fails_and_is_still_back_some_day() -> None:
    at_once = model(10_000, per_second=100.0, spread=0.001)
    spread = model(10_000, per_second=330.0, spread=50.0)
    assert at_once.failed > 1000 and at_once.seconds > 100.0
    assert (spread.failed, spread.seconds < 75.0) == (0, True)


def test_the_same_seed_tells_the_same_story() -> None:
    assert model(500, 50.0, 5.0, seed=7) == model(500, 50.0, 5.0, seed=7) != model(500, 50.0, 5.0, seed=8)
