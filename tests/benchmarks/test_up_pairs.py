"""Pairs of starts: taken in turn, and what both ways took is told apart."""

import pytest

from benchmarks.ground import Ground
from benchmarks.up_pairs import PAIRS, QUICK_PAIRS, Pairs


def test_a_pair_is_a_start_by_up_and_then_one_by_hand() -> None:
    began: list[str] = []

    def start(way: str, seconds: float) -> float:
        began.append(way)
        return seconds + len(began)

    pairs = Pairs()
    pairs.take(Ground(), "up", lambda: start("up", 10.0), lambda: start("hand", 40.0))
    assert began == ["up", "hand"] * PAIRS
    assert pairs.values() == (-31.0,) * PAIRS
    assert pairs.bound() == pytest.approx(0.05 * 46.0)  # the median of 42, 44, 46, 48 and 50
    assert pairs.details()[0] == "up      min 11.00, median 15.00, max 19.00 s"
    assert pairs.details()[1] == "by hand min 42.00, median 46.00, max 50.00 s"


def test_a_quick_run_takes_one_pair() -> None:
    pairs = Pairs()
    pairs.take(Ground(quick=True), "up", lambda: 31.0, lambda: 30.0)
    assert pairs.seconds == [(31.0, 30.0)] * QUICK_PAIRS
    assert pairs.bound() == 2.0
