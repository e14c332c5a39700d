"""An acceptance report of an enrolled machine: signed by the key it enrolled with, and by that one alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_agent.acceptance import signing
from archipel_agent.acceptance.signing import ReportInvalid
from archipel_contract import launcher
from archipel_contract.exits import Exit
from archipel_contract.trust.keys import SoftwareSigner, device_key_from_pem
from tests.agent.acceptance.test_signing import REPORT
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.enrolment import NODE, FakeEnroller, FakeFleet, FleetKeys


@pytest.fixture(scope="module")
def fleet_keys() -> FleetKeys:
    return FleetKeys()


@pytest.fixture
def fleet(fleet_keys: FleetKeys) -> FakeFleet:
    return FakeFleet(fleet_keys)


def enrolled(fleet: FakeFleet) -> Device:
    """A device that has enrolled with its own key."""
    device = Device(FakeEnroller(fleet))
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    device.pass_time(60.0, steps=2)
    assert device.identity.has_certificate
    return device


def signed(device: Device) -> bytes:
    return signing.sign(REPORT, device.disk, device.files.paths)


def test_an_enrolled_machine_signs_with_the_key_it_enrolled_with(fleet: FakeFleet) -> None:
    device = enrolled(fleet)
    report, by = signing.verify(signed(device))
    assert report == REPORT
    assert by.is_of_a_device
    public = SoftwareSigner(device_key_from_pem(device.disk.read(device.files.paths.key))).public
    assert by.key == str(public)
    assert NODE in signing.who(by) and public.key_id in signing.who(by)


def test_neither_the_private_key_nor_a_path_to_it_is_in_the_report(fleet: FakeFleet) -> None:
    device = enrolled(fleet)
    secret = device.disk.read(device.files.paths.key).decode().split("\n")[1]
    assert secret not in signed(device).decode() and "PRIVATE" not in signed(device).decode()


def test_the_certificate_of_one_device_does_not_cover_the_report_of_another(
    fleet: FakeFleet, fleet_keys: FleetKeys
) -> None:
    data, other = json.loads(signed(enrolled(fleet))), json.loads(signed(enrolled(FakeFleet(fleet_keys))))
    assert data["key"] != other["key"]
    data["certificate"] = other["certificate"]
    with pytest.raises(ReportInvalid, match="another key"):
        signing.verify(json.dumps(data).encode())


def test_who_has_left_the_fleet_signs_in_its_name_no_more(fleet: FakeFleet) -> None:
    device = enrolled(fleet)
    device.keeper.leave()
    _, by = signing.verify(signed(device))
    assert not by.is_of_a_device


def test_after_a_renewal_the_report_still_verifies(fleet: FakeFleet) -> None:
    device = enrolled(fleet)
    first = signed(device)
    device.pass_time(300 * 86_400.0, steps=300)
    second = signed(device)
    assert [signing.verify(one)[1].is_of_a_device for one in (first, second)] == [True, True]
    assert json.loads(first)["certificate"] != json.loads(second)["certificate"]


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANG", "C.UTF-8")
    yield


@pytest.mark.usefixtures("english")
def test_the_command_says_by_whom_it_is_signed_and_refuses_an_altered_one(
    fleet: FakeFleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "acceptance.json"
    file.write_bytes(signed(enrolled(fleet)))
    assert launcher.main(["accept", "verify", str(file), "--json"]) == Exit.OK
    assert NODE in json.loads(capsys.readouterr().out)["signed_by"]
    file.write_bytes(file.read_bytes().replace(b"9.5", b"0.5"))
    assert launcher.main(["accept", "verify", str(file)]) == Exit.REFUSED
    assert "altered" in capsys.readouterr().err


@pytest.mark.usefixtures("english")
def test_a_name_that_no_fleet_gave_is_told_as_a_claim_and_refused_where_the_fleet_is_known(
    fleet: FakeFleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device, file, ours, theirs = enrolled(fleet), tmp_path / "a.json", tmp_path / "ours", tmp_path / "theirs"
    file.write_bytes(signed(device))
    ours.write_bytes(device.disk.read(device.files.paths.authorities))
    theirs.write_bytes(FleetKeys().authority.pem)
    assert launcher.main(["accept", "verify", str(file)]) == Exit.OK
    assert "calls itself" in capsys.readouterr().out
    assert launcher.main(["accept", "verify", str(file), "--authority", str(ours)]) == Exit.OK
    assert f"the device {NODE}" in capsys.readouterr().out
    assert launcher.main(["accept", "verify", str(file), "--authority", str(theirs)]) == Exit.REFUSED
    assert "no CA of this fleet" in capsys.readouterr().err
    assert launcher.main(["accept", "verify", str(file), "--authority", str(file)]) == Exit.REFUSED
    assert "cannot be used" in capsys.readouterr().err
