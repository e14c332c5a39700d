"""The figure of enrolment, measured in small: every device gets a certificate of its own."""

import pytest

from benchmarks.enrolment import LONGEST, enrol, fleet


def test_ten_devices_enrol_in_a_tenth_of_the_time_for_a_hundred() -> None:
    with fleet(10) as one:
        assert enrol(one, 10) < LONGEST / 10


def test_a_device_too_many_is_noticed() -> None:
    with fleet(2) as one, pytest.raises((RuntimeError, ValueError)):
        enrol(one, 3)
