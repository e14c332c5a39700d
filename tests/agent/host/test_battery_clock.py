"""A battery-backed clock counts only if it has kept the time."""

from pathlib import Path

import pytest

from archipel_agent.host.hardware import battery_clock

NOW = 1_795_400_000.0


@pytest.mark.parametrize(
    ("says", "counts"),
    [
        ("1795399998\n", True),
        ("1795407200\n", True),  # local time, two hours ahead
        ("115\n", False),  # 1970: what an empty battery leaves
        ("", True),  # it does not say
    ],
)
def test_a_battery_backed_clock_with_an_empty_battery_does_not_count(
    tmp_path: Path, says: str, counts: bool
) -> None:
    (tmp_path / "since_epoch").write_text(says)
    assert battery_clock(NOW, str(tmp_path)) is counts


def test_a_machine_without_one_has_none(tmp_path: Path) -> None:
    assert battery_clock(NOW, str(tmp_path / "rtc0")) is False
