"""Token and private key stay on the device: nothing it logs, answers, keeps in memory to be shown or raises has them."""

import logging
import re

import pytest

from archipel_agent.identity.device import DeviceIdentity
from archipel_contract.trust.token import Token
from archipel_contract.wire import to_json
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.enrolment import FakeEnroller, FakeFleet, FleetKeys

LINE = re.compile(r"[A-Za-z0-9+/=]{24,}")


def keys_of(device: Device) -> set[str]:
    """Return the lines of every private key that lies on the device."""
    paths = device.files.paths
    found = [one for one in (paths.key, paths.next_key) if device.disk.exists(one)]
    return {line for one in found for line in LINE.findall(device.disk.read(one).decode())}


def shown(device: Device, log: pytest.LogCaptureFixture) -> str:
    """Return all that anybody can see of it."""
    identity: DeviceIdentity = device.identity
    said = [log.text, to_json(device.keeper.status()).decode(), str(vars(device.keeper)), str(vars(identity))]
    return "\n".join(said)


def check(device: Device, log: pytest.LogCaptureFixture, token: Token, seen: set[str]) -> None:
    """Note the keys there are, and hold what is shown against all that were ever there."""
    seen |= keys_of(device)
    text = shown(device, log)
    assert token.secret not in text
    assert [line for line in seen if line in text] == []


def test_nothing_that_is_shown_has_the_token_or_a_private_key(
    device: Device,
    fleet: FakeFleet,
    enroller: FakeEnroller,
    other_keys: FleetKeys,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token, seen = fleet.token(), set[str]()
    enroller.away = "connection refused"
    device.keeper.invite(f"{ADDRESS}/#{token.text}")
    check(device, caplog, token, seen)
    enroller.away, enroller.forger = "", other_keys
    device.pass_time(3600.0, steps=10)
    check(device, caplog, token, seen)
    enroller.forger, fleet.refuses = None, "enrol-token-wrong"
    device.pass_time(7200.0, steps=10)
    check(device, caplog, token, seen)
    fleet.refuses = ""
    device.pass_time(7200.0, steps=10)
    assert device.identity.has_certificate
    check(device, caplog, token, seen)
    fleet.refuses = "renew-revoked"
    device.clock.advance(250 * 86_400.0)
    device.pass_time(7200.0, steps=4)
    check(device, caplog, token, seen)
    assert len(seen) >= 4 and caplog.text  # there was something to see, and something was said


def test_whoever_leaves_the_fleet_keeps_no_key_and_no_certificate(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    device.keeper.invite(f"{ADDRESS}/#{fleet.token().text}")
    device.pass_time(60.0, steps=2)
    before = keys_of(device)
    assert device.identity.has_certificate and before
    device.keeper.leave()
    left = b"".join(device.disk.read(path) for path in device.disk.files(device.files.paths.base))
    assert [line for line in before if line.encode() in left] == []
    assert b"CERTIFICATE" not in left and not device.boot().identity.has_certificate
