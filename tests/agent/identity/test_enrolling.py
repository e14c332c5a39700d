"""How a device comes into its fleet: by token or by claim code, and every way in which that goes wrong."""

import re
from datetime import UTC, datetime

import pytest

from archipel_agent.service import Refused
from archipel_contract.status import Membership
from archipel_contract.trust import certificates
from archipel_contract.trust.enrolment import TRUST
from archipel_contract.trust.keys import device_key_from_pem, public_der
from archipel_contract.trust.token import claim_code
from tests.agent.identity.devices import ADDRESS, Device
from tests.fakes.enrolment import FakeEnroller, FakeFleet, FleetKeys

IN_1970 = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)


def link(fleet: FakeFleet) -> str:
    """A link with a good token."""
    return f"{ADDRESS}/#{fleet.token().text}"


def test_a_token_makes_a_device_one_of_the_fleet(device: Device, fleet: FakeFleet) -> None:
    shown = device.keeper.invite(link(fleet))
    assert (shown.state, shown.fleet, shown.display_name) == (
        Membership.ENROLLED,
        "Plants of the north",
        "Edge 7",
    )
    identity = device.identity
    assert identity.certificate == fleet.issued[0]
    assert identity.signer.public == identity.certificate.public
    assert identity.trust.document.version == 1
    assert identity.fleet.brokers == ("mqtts://fleet.example:8883",)
    assert fleet.requests[0].hostname == "edge-07"


def test_what_belongs_to_an_identity_outlives_the_agent_and_the_invitation_does_not(
    device: Device, fleet: FakeFleet
) -> None:
    device.keeper.invite(link(fleet))
    again = device.boot()
    assert again.status().state is Membership.ENROLLED
    assert device.identity.certificate == fleet.issued[0]
    paths = device.files.paths
    assert (device.disk.mode(paths.key), device.disk.mode(paths.base)) == (0o600, 0o700)
    assert not device.disk.exists(paths.invitation)
    assert device.disk.names(paths.base / "next") == ()


def test_the_private_key_never_leaves_the_device(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    device.keeper.invite(link(fleet))
    key = device.disk.read(device.files.paths.key)
    secret = b"".join(key.splitlines()[1:-1])
    assert len(secret) > 100
    assert all(secret[:40] not in one.body.replace(b"\n", b"") for one in enroller.asked)


def test_nothing_secret_is_said_before_it_is_sure_who_listens(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller, other_keys: FleetKeys
) -> None:
    enroller.forger = other_keys
    shown = device.keeper.invite(link(fleet))
    assert (shown.state, shown.code) == (Membership.WAITING, "identity-wrong-authority")
    assert fleet.keys.pin in shown.message
    assert other_keys.pin in shown.message
    assert [(one.path, one.body, one.secured) for one in enroller.asked] == [(TRUST, b"", None)]


def test_a_proxy_that_opens_tls_is_noticed_though_it_passes_the_right_ca_on(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    enroller.intercepted = True
    shown = device.keeper.invite(link(fleet))
    assert shown.code == "identity-wrong-authority"
    assert fleet.requests == []
    enroller.intercepted = False
    device.pass_time(60)
    assert device.keeper.status().state is Membership.ENROLLED


def test_a_device_without_a_token_shows_a_code_and_waits_for_a_person(
    device: Device, fleet: FakeFleet
) -> None:
    fleet.approves = False
    shown = device.keeper.invite(ADDRESS)
    assert shown.state is Membership.PENDING
    assert shown.code == "identity-pending"
    key = device_key_from_pem(device.disk.read(device.files.paths.next_key))
    assert shown.claim == claim_code(public_der(key), certificates.public_der(fleet.keys.authority.pem))
    assert re.fullmatch(r"[0-9a-z]{4}(-[0-9a-z]{4}){2}", shown.claim)
    device.pass_time(5)
    asked = len(fleet.requests)
    assert asked == 1
    device.boot()
    device.pass_time(1)
    assert device.keeper.status().claim == shown.claim
    fleet.approves = True
    device.pass_time(15)
    assert device.keeper.status().state is Membership.ENROLLED


def test_a_fleet_that_reckons_another_claim_code_sees_another_key_than_ours(
    device: Device, fleet: FakeFleet
) -> None:
    fleet.approves, fleet.claim = False, "0000-0000-0000"
    shown = device.keeper.invite(ADDRESS)
    assert (shown.state, shown.code) == (Membership.WAITING, "identity-wrong-authority")


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("enrol-token-used", "identity-token-refused"),
        ("enrol-token-expired", "identity-token-refused"),
        ("enrol-node-known", "identity-node-known"),
        ("enrol-refused", "identity-refused"),
    ],
)
def test_a_refusal_says_why_and_is_asked_again_an_hour_later(
    device: Device, fleet: FakeFleet, code: str, finding: str
) -> None:
    fleet.refuses = code
    shown = device.keeper.invite(link(fleet))
    assert (shown.state, shown.code) == (Membership.REFUSED, finding)
    assert code in shown.message
    fleet.refuses = ""
    device.pass_time(2800, steps=280)
    assert device.keeper.status().state is Membership.REFUSED
    device.pass_time(1600, steps=10)
    assert device.keeper.status().state is Membership.ENROLLED


def test_a_fleet_that_is_away_is_asked_less_and_less_often_and_at_different_moments(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    enroller.away = "Connection refused"
    shown = device.keeper.invite(link(fleet))
    assert (shown.state, shown.code) == (Membership.WAITING, "identity-fleet-away")
    device.pass_time(86_400, steps=86_400)
    assert 90 < len(enroller.asked) < 140
    enroller.away = ""
    device.pass_time(1100, steps=11)
    assert device.keeper.status().state is Membership.ENROLLED


def test_a_clock_in_1970_is_no_obstacle_and_the_fleet_says_what_time_it_is(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    device.set_clock(IN_1970, sure=False)
    assert device.keeper.invite(link(fleet)).state is Membership.ENROLLED
    secured = enroller.asked[-1].secured
    assert secured is not None
    assert not secured.check_time
    assert device.believed == [int(fleet.now.timestamp() * 1000)]


def test_a_time_is_believed_only_of_the_fleet(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller, other_keys: FleetKeys
) -> None:
    enroller.forger = other_keys
    device.keeper.invite(link(fleet))
    assert device.believed == []


def test_a_link_that_is_none_is_refused_with_a_sentence_that_hides_the_secret(
    device: Device, fleet: FakeFleet
) -> None:
    token = fleet.token()
    for text in (f"http://fleet.example/#{token.text}", f"{ADDRESS}/#{token.text[:-3]}", "fleet.example"):
        with pytest.raises(Refused) as caught:
            device.keeper.invite(text)
        assert caught.value.status == 400
        assert token.secret not in str(caught.value)


def test_who_is_enrolled_has_to_say_again_on_purpose(device: Device, fleet: FakeFleet) -> None:
    device.keeper.invite(link(fleet))
    with pytest.raises(Refused, match="Plants of the north"):
        device.keeper.invite(link(fleet))
    fleet.known.clear()
    before = device.identity.signer.key_id
    assert device.keeper.invite(link(fleet), again=True).state is Membership.ENROLLED
    assert device.identity.signer.key_id != before


def test_enrolling_again_keeps_the_present_membership_until_it_has_succeeded(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    device.keeper.invite(link(fleet))
    enroller.away = "No route to host"
    assert device.keeper.invite(link(fleet), again=True).state is Membership.WAITING
    assert device.identity.certificate == fleet.issued[0]
    device.boot()
    assert device.identity.certificate == fleet.issued[0]


def test_a_certificate_for_another_device_is_not_taken(device: Device, fleet: FakeFleet) -> None:
    fleet.issues_for = "n-0000000000000000"
    shown = device.keeper.invite(link(fleet))
    assert (shown.state, shown.code) == (Membership.WAITING, "identity-answer-unusable")
    assert "n-0000000000000000" in shown.message
    assert not device.identity.has_certificate


def test_a_certificate_for_another_key_is_not_taken(device: Device, fleet: FakeFleet) -> None:
    fleet.issues_key = fleet.keys.server_key.public_key()
    assert device.keeper.invite(link(fleet)).code == "identity-answer-unusable"
    assert not device.identity.has_certificate


def test_a_device_that_left_its_fleet_stays_out_until_somebody_invites_it(
    device: Device, fleet: FakeFleet
) -> None:
    device.keeper.invite(link(fleet))
    device.keeper.wipe()
    assert device.keeper.status().state is Membership.NONE
    names = [path.name for path in device.disk.files(device.files.paths.base)]
    assert names == ["left"]
    assert device.boot().status().state is Membership.NONE
    fleet.known.clear()
    assert device.keeper.invite(link(fleet)).state is Membership.ENROLLED


def test_nothing_is_read_and_nobody_asked_while_nothing_is_due(
    device: Device, fleet: FakeFleet, enroller: FakeEnroller
) -> None:
    device.keeper.invite(link(fleet))
    device.pass_time(1)
    asked = len(enroller.asked)
    device.power.cut()  # from now on every touch of the disk would be fatal
    device.pass_time(3500, steps=350)
    device.keeper.status()
    assert len(enroller.asked) == asked
