"""What is said of files that a card has spoiled: which one it is, and what is wrong with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_agent.identity.device import DeviceIdentity, NotEnrolled
from archipel_contract.status import Membership
from archipel_contract.trust.keys import new_device_key, new_fleet_key, to_pem
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.enrolment import FakeFleet


def spoil(device: Device, path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file behind everybody's back."""
    device.disk.write(path, change(device.disk.read(path)), 0o600)


SPOILT: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "another key": ("device.key", lambda _: to_pem(new_device_key()), "identity-mismatched"),
    "a key of another kind": ("device.key", lambda _: to_pem(new_fleet_key()), "identity-damaged"),
    "zeros for a key": ("device.key", lambda data: bytes(len(data)), "identity-damaged"),
    "half a certificate": ("device.crt", lambda data: data[: len(data) // 2], "identity-damaged"),
    "an empty certificate": ("device.crt", lambda _: b"", "identity-damaged"),
    "a bit in the trust document": (
        "trust",
        lambda data: data.replace(b"north", b"nortj"),
        "identity-damaged",
    ),
    "an empty trust document": ("trust", lambda _: b"", "identity-damaged"),
    "rubbish about the fleet": ("fleet.json", lambda _: b"{", "identity-damaged"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_it_is_said_which_file_is_spoilt_and_a_new_enrolment_mends_it(
    device: Device, fleet: FakeFleet, name: str
) -> None:
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    file, change, code = SPOILT[name]
    spoil(device, device.files.paths.base / file, change)
    shown = device.boot().status()
    assert (shown.state, shown.code) == (Membership.UNKNOWN, code)
    assert Path(shown.file).name in (file, "device.crt")
    assert shown.message
    with pytest.raises(NotEnrolled):
        device.identity.will_try()
    fleet.known.clear()
    assert device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}").state is Membership.ENROLLED


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("device.key", "identity-key-missing"),
        ("device.crt", "identity-damaged"),
        ("trust", "identity-damaged"),
        ("fleet.json", "identity-damaged"),
    ],
)
def test_it_is_said_which_file_is_gone(device: Device, fleet: FakeFleet, file: str, code: str) -> None:
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    device.disk.remove(device.files.paths.base / file)
    shown = device.boot().status()
    assert (shown.state, shown.code, Path(shown.file).name) == (Membership.UNKNOWN, code, file)


def test_a_machine_whose_state_was_begun_anew_is_not_the_one_that_enrolled(
    device: Device, fleet: FakeFleet
) -> None:
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    after = DeviceIdentity("n-0000000000000001", device.files)
    assert not after.has_certificate
    assert after.problem is not None
    assert after.problem.code == "identity-mismatched"
    assert "n-0000000000000001" in after.problem.detail


def test_the_cas_are_those_of_the_trust_document_so_that_a_lost_file_of_them_does_no_harm(
    device: Device, fleet: FakeFleet
) -> None:
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    device.disk.remove(device.files.paths.authorities)
    device.boot()
    assert device.identity.secured(True).authorities == (fleet.keys.authority.pem.decode(),)
