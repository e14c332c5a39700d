"""A box that is being set up from a stick is cut off: the stick is pulled in the middle of the import, the power goes in the
middle of the import, and again while Kubernetes starts for the first time. It goes on by itself each time. An emulated
machine; read from top to bottom. What it prints is the transcript.
"""

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
bundle = "."
"""
BUNDLES = "/var/lib/archipel/bundles"
SOME = 15_000_000  # bytes of 155,000,000 that are written when it is cut off
SITE = "/etc/rancher/k3s/config.yaml"
TLS = "/var/lib/rancher/k3s/server/tls"


@pytest.fixture(scope="module")
def box(cabinet: Callable[[str], Cabinet]) -> Cabinet:
    """The box, running, with the stick in it."""
    made = cabinet(ANSWERS)
    made.is_switched_on()
    made.has_started()
    made.types("archipel", "status")
    made.plugs_stick()
    return made


def imported(box: Cabinet) -> int:
    """How many bytes lie where bundles do."""
    sizes = box.types("find", BUNDLES, "-type", "f", "-printf", r"%s\n", shown=False).stdout
    return sum(map(int, sizes.split()))


def awaits_the_middle(box: Cabinet) -> None:
    """Wait until the import is under way; it must not be over already."""
    before = imported(box)
    box.awaits(lambda: imported(box) > before + SOME, "the import is under way", 600)
    box.notes(f"{imported(box):,} bytes of the bundle are on the disk")
    assert box.types("ls", SITE, shown=False).rc != 0, "the import was over too soon for this test"


def test_a_stick_pulled_in_the_middle_of_the_import_leaves_the_machine_as_it_was(box: Cabinet) -> None:
    awaits_the_middle(box)
    box.pulls_stick()
    box.awaits(
        lambda: "bundle-" in box.types("archipel", "answers", "show", shown=False).stdout,
        "the bundle is named",
        120,
    )
    box.types("archipel", "answers", "show")
    box.types("archipel", "status")
    assert box.types("ls", SITE, "/usr/local/bin/k3s", shown=False).stdout == ""


@pytest.fixture(scope="module")
def cut_off(box: Cabinet) -> Cabinet:
    """The same box: the stick was put in again, and in the middle of the import the power went, and came."""
    box.plugs_stick()
    awaits_the_middle(box)
    box.loses_power()
    box.is_switched_on()
    return box


def test_power_that_goes_in_the_middle_of_the_import_does_not_keep_it_from_going_on(cut_off: Cabinet) -> None:
    cut_off.notes(f"up again: {imported(cut_off):,} bytes of the bundle are on the disk")
    cut_off.awaits(lambda: cut_off.types("ls", TLS, shown=False).rc == 0, "k3s starts", 900)
    cut_off.notes("k3s makes its certificates")


@pytest.fixture(scope="module")
def cut_off_again(cut_off: Cabinet) -> Cabinet:
    """The same box: the power went while Kubernetes started for the first time, and came."""
    cut_off.loses_power()
    cut_off.is_switched_on()
    return cut_off


def test_after_all_that_it_becomes_a_site_with_nobody_typing(cut_off_again: Cabinet) -> None:
    cut_off_again.has_done("up")
    cut_off_again.is_well()
    cut_off_again.types("archipel", "status")
    cut_off_again.pulls_stick()
    assert cut_off_again.stick.check() == ""
