"""The whole walk of a box in a cabinet: set up from a stick with nobody there and no network, enrolled once its cable is in,
then everything that years do to it, and a second box in its place at the end. Booted hosts, a real k3s and a real fleet;
read from top to bottom. What it prints is the transcript.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archipel_contract.exits import Exit
from tests.e2e.cabinet import ANSWERS, SLOT, prepared_stick
from tests.e2e.maker import FILE
from tests.e2e.outside import FleetOutside
from tests.e2e.person import until
from tests.e2e.years import PLANT, Years, volume
from tests.hosts.booted import BootedHost
from tests.hosts.lab import Lab

STORY = True
pytestmark = [
    pytest.mark.booted,
    pytest.mark.real_k3s,
    pytest.mark.real_process,
    pytest.mark.own_network,
    pytest.mark.prove,
    pytest.mark.timeout(600),
]

TEXT = """\
# Written at a desk, for a box in a cabinet.
format = 1

[site]
name = "Hall 3"
node_name = "edge-07"
components = ["coredns"]

[k3s]
bundle = "."            # the newest bundle beside this file

[fleet]
link = "{link}"

[time]
not_before = 2026-11-22
"""
MEDIA = "/media/usb"


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetOutside]:
    """The fleet, on the far side of the box's cable."""
    with FleetOutside(lab, tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="module")
def stick(fleet: FleetOutside, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stick with a bundle and an answer file, prepared at a desk."""
    return prepared_stick(tmp_path_factory.mktemp("stick"), TEXT.format(link=fleet.link()))


@pytest.fixture(scope="module")
def box(lab: Lab, stick: Path) -> Iterator[Years]:
    """The box with the stick in it, switched on without a cable."""
    with BootedHost("edge", lab) as host:
        yield Years.with_stick(host, stick)


def test_switched_on_without_a_network_it_becomes_a_site_with_nobody_typing(box: Years) -> None:
    box.has_done("up")
    box.is_well()
    assert box.result()["waits_for"] == ["enrolled"]
    box.tells("enrol", code=Exit.NOT_OK)
    box.tells("status", code=None)


def test_its_cable_plugged_in_it_enrols_by_itself(box: Years, fleet: FleetOutside, stick: Path) -> None:
    secret = (stick / ANSWERS).read_text()
    assert "#" not in secret.partition("link = ")[2].splitlines()[0]
    box.notes("its cable is plugged in")
    box.host.heal_network()
    box.has_done("enrolled", 400)
    box.notes(f"{ANSWERS} on the stick now:\n{(stick / ANSWERS).read_text()}")
    assert len(fleet.devices()) == 1
    box.tells("status", code=None)


def test_another_address_is_named_and_taken_by_one_command(box: Years) -> None:
    box.is_given_work_and_a_volume()
    box.notes("the plant gives the box another address: 10.199.0.201")
    box.has_address("10.199.0.201")
    box.host.run(["networkctl", "reload"]).ok()
    box.host.run(["networkctl", "reconfigure", "host0"]).ok()
    box.is_repaired("address-gone")
    assert box.lets_in(6443, "10.199.0.201")


@pytest.fixture(scope="module")
def updated(box: Years) -> Years:
    """The same box after an update of its system, and the restart that came with it."""
    box.notes("an update of the system: the network card is called lan7 from the next start on")
    box.renames_its_card("host0", "lan7")
    box.box.reboot()
    return box


def test_a_card_of_another_name_after_a_restart_is_taken_by_one_command(updated: Years) -> None:
    updated.is_repaired("interface-gone")


def test_in_1970_the_site_runs_on_and_the_clock_is_what_is_named(box: Years, fleet: FleetOutside) -> None:
    pods = box.containers()
    box.notes("the battery of its clock is dead: the agent starts in 1970")
    box.lives_in("1970-01-01T00:10:00+00:00")
    found = box.shows("clock-behind", 60)
    box.notes(f"doctor: {found['summary']}. {found['next_step']}")
    box.tells("clock", "show", code=None)
    box.is_well()
    assert box.containers() == pods
    assert len(fleet.devices()) == 1
    box.lives_in("")
    until(lambda: "clock-behind" not in box.findings(), box.findings, 60)
    box.is_well()


@pytest.fixture(scope="module")
def after_power_cuts(updated: Years) -> Years:
    """The same box after its plug was pulled three times, the second and third time while it was still coming up."""
    for seconds in (0.0, 4.0, 15.0):
        updated.loses_power(after=seconds)
    return updated


def test_its_power_is_cut_three_times_and_it_comes_back_by_itself(after_power_cuts: Years) -> None:
    after_power_cuts.is_well(240)


def test_its_disk_is_full_and_it_makes_room_by_itself(box: Years) -> None:
    box.fills_its_disk()
    box.notes("the disk is full: programs of an old version that nobody needs")
    until(lambda: not box.has_old_programs(), lambda: (box.findings(), box.said()), 300)
    box.notes("the box has made room by itself")
    until(lambda: not {"disk-full", "disk-low"} & set(box.findings()), box.findings, 60)
    # The kubelet lets evicted pods back five minutes after the pressure has gone (eviction-pressure-transition-period).
    box.is_well(420)
    box.tells("audit", code=None)


def test_its_datastore_is_torn_and_one_command_reads_it_into_a_new_one(box: Years) -> None:
    box.is_torn("datastore")
    box.is_repaired("datastore-damaged")


def test_it_is_backed_up_onto_the_stick(box: Years) -> None:
    # What the torn database has lost of Kubernetes' own accounts is made again by those who need them, one after the other.
    until(box.has_settled, lambda: "its objects go on changing")
    box.host.run(["mkdir", "-p", f"{SLOT}/backups"]).ok()
    made = box.asks("backup", "key", "new")
    assert made.code == Exit.OK, made
    box.host.put(made.document["secret"].encode(), f"{SLOT}/recovery.key", 0o600)
    box.notes("edge# archipel backup key new   (the secret half goes into a safe; here onto the stick)")
    box.tells("backup", "now", "--to", f"{SLOT}/backups")
    box.tells("backup", "drill", f"{SLOT}/backups", "--from-key", f"{SLOT}/recovery.key")


@pytest.fixture(scope="module")
def second(lab: Lab, box: Years, stick: Path) -> Iterator[tuple[Years, dict[str, Any], str]]:
    """The box is dead; another one with Archipel on it, the stick, and what the first one held."""
    held, files = box.objects_by_name(), volume(box.host)
    box.notes("the box dies")
    box.box.power_cut()
    with BootedHost("spare", lab) as host:
        made = Years(host)
        made.begun, made.node, made.marker = box.begun, box.node, box.marker
        made.is_given_the_program(stick / FILE)
        made.has_address(host.ip)
        made.box.power_off()
        (stick / ANSWERS).unlink()
        made.box.plug(stick, MEDIA)
        made.box.boot()
        made.notes("another box, with Archipel on it, and the stick")
        yield made, held, files


def test_another_box_becomes_that_site_from_the_stick_alone(
    second: tuple[Years, dict[str, Any], str],
) -> None:
    box, held, files = second
    given = ("restore", f"{MEDIA}/backups", "--from-key", f"{MEDIA}/recovery.key", "--bundle", MEDIA)
    box.tells(*given, "--plan")
    box.tells(*given, "--yes")
    box.is_well()
    until(lambda: box.objects_by_name() == held, lambda: (box.objects_by_name(), held), 60)
    assert volume(box.host) == files
    assert f"{PLANT}/deep/blob" in files
    box.notes(f"{len(held)} objects and every file of the volume are equal")
    box.tells("status", code=None)
