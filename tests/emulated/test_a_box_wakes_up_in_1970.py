"""A box whose clock has no battery left: it wakes up in 1970 with a stick in it and without a network, makes no
certificates in a wrong year, and says the one command that puts it right; as a site it wakes up there again, with and
without what Debian keeps of the time. An emulated machine; read from top to bottom. What it prints is the transcript.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.emulated.cabinet import Cabinet

STORY = True
pytestmark = [pytest.mark.prove, pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.timeout(4000)]

DEAD = "1970-01-01T00:00:00"
WATCH = "%Y-%m-%d %H:%M"
ANSWERS = """\
format = 1

[site]
name = "Hall 3"
node_name = "edge-07"
components = ["coredns"]

[k3s]
bundle = "."
"""
CLOCK = "date -u; cat /sys/class/rtc/rtc0/date; journalctl -b -o cat | grep -i -e 'System time' -e 'setting system clock'"


@pytest.fixture(scope="module")
def box(cabinet: Callable[[str], Cabinet]) -> Cabinet:
    """The box with the stick in it, switched on in 1970."""
    made = cabinet(ANSWERS)
    made.plugs_stick()
    made.is_switched_on(DEAD)
    return made


def set_by_a_watch(box: Cabinet) -> None:
    """Type the one command, with the time of this machine, which is the box's local time as well."""
    assert box.types("archipel", "clock", "set", datetime.now(UTC).strftime(WATCH)).rc == 0


def test_it_makes_no_certificates_and_the_stick_says_what_to_do(box: Cabinet) -> None:
    box.awaits(
        lambda: any(one["code"] == "clock-behind" for one in box.result().get("findings", [])),
        "the clock is named on the stick",
        600,
    )
    box.shows_result()
    box.types("sh", "-c", CLOCK)
    assert "archipel clock set" in box.types("archipel", "why", "clock-behind").stdout
    assert box.types("ls", "/var/lib/rancher/k3s/server/tls").rc != 0


def test_one_command_puts_it_right_and_it_goes_on_by_itself(box: Cabinet) -> None:
    set_by_a_watch(box)
    box.has_done("up")
    box.is_well()
    assert not {one for one in box.findings() if one.startswith(("clock-behind", "k3s-certificates"))}
    box.types("archipel", "clock", "show")


@pytest.fixture(scope="module")
def restarted(box: Cabinet) -> Cabinet:
    """The site without its stick, after an orderly end and a start in 1970."""
    box.pulls_stick()
    box.machine.power_off()
    box.notes("powered off in order")
    box.is_switched_on(DEAD)
    return box


def test_a_site_that_wakes_up_in_1970_takes_the_time_it_went_off_and_runs_on(restarted: Cabinet) -> None:
    restarted.types("sh", "-c", CLOCK)
    restarted.is_well()
    assert "clock-behind" not in restarted.findings()
    restarted.types("archipel", "status")


@pytest.fixture(scope="module")
def forgetful(restarted: Cabinet) -> Cabinet:
    """The same on a system that keeps no time itself, after a power cut."""
    restarted.types("systemctl", "mask", "--now", "systemd-timesyncd.service")
    restarted.types("sh", "-c", "rm -r /var/lib/systemd/timesync; sync")
    restarted.loses_power()
    restarted.is_switched_on(DEAD)
    return restarted


def test_where_nobody_keeps_the_time_it_names_the_clock_and_one_command_heals(forgetful: Cabinet) -> None:
    forgetful.types("sh", "-c", CLOCK)
    forgetful.awaits(lambda: "clock-behind" in forgetful.findings(), "the clock is named", 300)
    forgetful.types("archipel", "status")
    forgetful.types("archipel", "clock", "show")
    set_by_a_watch(forgetful)
    forgetful.is_well()
    assert not {one for one in forgetful.findings() if one.startswith(("clock-behind", "k3s-certificates"))}
    forgetful.types("archipel", "status")
