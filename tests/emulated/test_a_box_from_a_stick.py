"""A box in a cabinet without any network: a stick is put into it while it runs, and it becomes a site with nobody typing;
then its power is cut. An emulated machine with a kernel of its own, real FAT32 on real USB mass storage, a real k3s; read
from top to bottom. What it prints is the transcript.
"""

import time
from collections.abc import Callable

import pytest

from tests.emulated.cabinet import Cabinet

STORY = True
pytestmark = [pytest.mark.prove, pytest.mark.real_k3s, pytest.mark.real_process, pytest.mark.timeout(4000)]

ANSWERS = """\
format = 1

[site]
name = "Hall 3"
node_name = "edge-07"
components = ["coredns"]

[k3s]
bundle = "."            # the newest bundle beside this file
"""


@pytest.fixture(scope="module")
def box(cabinet: Callable[[str], Cabinet]) -> Cabinet:
    """The box, running, with nobody there."""
    made = cabinet(ANSWERS)
    made.is_switched_on()
    made.has_started()
    made.types("archipel", "status")
    return made


def test_a_stick_plugged_into_the_running_box_makes_it_a_site_with_nobody_typing(box: Cabinet) -> None:
    box.plugs_stick()
    box.has_done("up")
    box.is_well()
    box.types("archipel", "status")


def test_the_stick_may_be_pulled_then_and_is_whole(box: Cabinet) -> None:
    box.pulls_stick()
    assert box.stick.check() == ""
    box.shows_result()
    assert box.result()["waits_for"] == [] and box.result()["host"] == "edge"
    box.awaits(lambda: "/media/archipel" not in box.types("mount", shown=False).stdout, "unmounted", 60)


@pytest.fixture(scope="module")
def after_power_cuts(box: Cabinet) -> Cabinet:
    """The same box after its power was cut twice, the second time while it was coming up."""
    for seconds in (0.0, 45.0):
        time.sleep(seconds)  # the moment of the cut is what is tried
        box.loses_power()
        box.is_switched_on()
    return box


def test_its_power_is_cut_twice_and_it_comes_back_by_itself(after_power_cuts: Cabinet) -> None:
    after_power_cuts.is_well()
    after_power_cuts.types("archipel", "status")
