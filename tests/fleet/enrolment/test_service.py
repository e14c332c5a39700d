"""Devices ask to enrol and to renew; people approve and revoke. The registry is real, over SQLite."""

import base64
import dataclasses
from typing import Any

import pytest

from archipel_contract.link.envelope import Frame, Signature, frame_from, framed
from archipel_contract.trust.certificates import read
from archipel_contract.trust.enrolment import EnrolmentState
from archipel_contract.trust.keys import new_device_key
from archipel_contract.trust.store import TrustStore
from archipel_fleet.device_records import Approval, DeviceState, TokenRule
from archipel_fleet.enrolment import rule
from archipel_fleet.enrolment.caring import NotSo
from archipel_fleet.enrolment.service import TooOften
from archipel_fleet.records import EVERYTHING, Scope
from tests.fleet.enrolment.applicant import (
    ANNA,
    BROKERS,
    Device,
    Fleet,
    enrolled,
    node_id,
    said,
    site_id,
)

ISSUED, PENDING, REFUSED = EnrolmentState.ISSUED, EnrolmentState.PENDING, EnrolmentState.REFUSED


def test_a_token_brings_a_certificate_the_trust_document_and_the_way_to_the_broker(fleet: Fleet) -> None:
    pi = Device()
    answer = fleet.enrol(pi, fleet.token())
    assert answer.state is ISSUED
    assert said(answer).name == pi.node_id
    assert said(answer).public == pi.signer.public
    assert said(answer).not_before < said(answer).not_after
    assert int(said(answer).not_before.timestamp() * 1000) < fleet.clock.now()
    assert answer.brokers == BROKERS
    assert answer.at == fleet.clock.now()
    assert TrustStore.first(frame_of(answer.trust)).document == fleet.keys.trust.document
    assert answer.authorities == fleet.keys.trust.document.authorities
    assert fleet.store.devices.keys(pi.node_id) == (pi.signer.public,)


def test_the_broker_is_told_before_a_device_comes_for_the_first_time_and_of_no_rubbish(fleet: Fleet) -> None:
    pi = Device()
    fleet.enrol(Device(2))
    fleet.enrol(pi, "rubbish")
    assert fleet.changes == []
    first = fleet.enrol(pi, fleet.token()).certificate
    assert fleet.changes == ["in"]
    fleet.clock.pass_by(200 * 86_400)
    assert fleet.renew(pi, first).state is ISSUED
    assert fleet.enrol(pi).state is ISSUED
    assert fleet.changes == ["in"]
    fleet.care.decommission(ANNA, pi.node_id)
    assert fleet.changes == ["in", pi.node_id]
    assert fleet.enrol(Device(), fleet.token()).state is ISSUED
    assert fleet.changes == ["in", pi.node_id, "in"]


def frame_of(text: str) -> Frame:
    return frame_from(base64.b64decode(text))


def test_the_fleet_gives_the_name_and_heeds_nothing_of_the_request_but_its_key(fleet: Fleet) -> None:
    first = fleet.enrol(Device(1, site=1, hostname="pi\x1b[2J"), fleet.token())
    assert first.display_name == "pi [2J"
    names = [
        fleet.enrol(Device(number, site=1, hostname="raspberrypi"), fleet.token()).display_name
        for number in (2, 3, 4)
    ]
    assert names == ["raspberrypi", "raspberrypi (site-1)", "raspberrypi (site-1)-2"]
    assert fleet.enrol(Device(5, hostname=""), fleet.token()).display_name == node_id(5)


def test_a_token_is_worth_nothing_the_second_time(fleet: Fleet) -> None:
    text = fleet.token()
    assert fleet.enrol(Device(1), text).state is ISSUED
    answer = fleet.enrol(Device(2), text)
    assert (answer.state, answer.code) == (REFUSED, "enrol-token-used")
    assert fleet.codes() == ["enrol-token-used"]


def test_an_answer_that_got_lost_is_given_again_and_costs_no_second_use(fleet: Fleet) -> None:
    pi, text = Device(), fleet.token()
    first, second = fleet.enrol(pi, text), fleet.enrol(pi, text)
    assert first.certificate == second.certificate != ""
    assert fleet.codes() == []


def test_a_token_for_several_devices_lets_in_as_many(fleet: Fleet) -> None:
    text = fleet.token(uses=3)
    states = [fleet.enrol(Device(number), text).state for number in range(1, 6)]
    assert states == [ISSUED, ISSUED, ISSUED, REFUSED, REFUSED]
    assert fleet.store.devices.tokens(EVERYTHING)[0].left == 0


def test_a_token_ends(fleet: Fleet) -> None:
    text = fleet.token(hours=2)
    fleet.clock.pass_by(2 * 3600)
    assert fleet.enrol(Device(), text).code == "enrol-token-expired"


def test_who_does_not_know_the_secret_learns_nothing_about_a_token(fleet: Fleet) -> None:
    text = fleet.token(hours=1)
    token_id, secret, pin = text.split(".")
    wrong = fleet.enrol(Device(), f"{token_id}.{'0' * len(secret)}.{pin}")
    unknown = fleet.enrol(Device(), f"{'0' * len(token_id)}.{secret}.{pin}")
    foreign = fleet.enrol(Device(), f"{token_id}.{secret}.{'0' * len(pin)}")
    rubbish = fleet.enrol(Device(), "hello")
    fleet.clock.pass_by(7200)
    late = fleet.enrol(Device(), f"{token_id}.{'0' * len(secret)}.{pin}")
    answers = {dataclasses.replace(one, at=0) for one in (wrong, unknown, foreign, rubbish, late)}
    assert len({dataclasses.replace(one, claim="") for one in answers}) == 1
    assert wrong.code == "enrol-token-wrong"
    assert secret not in repr(answers)


def test_a_token_of_one_site_lets_no_other_in(fleet: Fleet) -> None:
    text = fleet.token(site_id=site_id(1))
    assert fleet.enrol(Device(1, site=2), text).code == "enrol-token-elsewhere"
    assert fleet.enrol(Device(1, site=1), text).state is ISSUED


def test_the_customer_of_a_token_is_the_devices(fleet: Fleet) -> None:
    fleet.store.add_customer("north")
    enrolled(fleet, Device(site=1), customer="north")
    assert fleet.store.devices.rows(Scope("north")).total == 1
    assert fleet.store.devices.rows(Scope("south")).total == 0


def test_a_token_that_holds_waits_for_a_person(fleet: Fleet) -> None:
    pi, text = Device(), fleet.token(rule=TokenRule.HOLD)
    answer = fleet.enrol(pi, text)
    assert (answer.state, answer.certificate, answer.code) == (PENDING, "", "")
    assert fleet.store.devices.keys(pi.node_id) == ()
    assert fleet.enrol(pi, text).state is PENDING
    row = fleet.care.approve(ANNA, pi.node_id)
    assert (row.state, row.approval, row.approved_by) == (DeviceState.ACTIVE, Approval.TOKEN, "anna")
    assert fleet.enrol(pi, text).state is ISSUED
    assert fleet.enrol(Device(2), text).code == "enrol-token-used"


def test_a_claim_code_is_approved_by_whoever_compared_it_and_by_no_other_word(fleet: Fleet) -> None:
    pi = Device()
    answer = fleet.enrol(pi)
    assert (answer.state, answer.claim) == (PENDING, pi.claim(fleet.keys))
    with pytest.raises(NotSo, match="code") as refused:
        fleet.care.approve(ANNA, pi.node_id)
    assert refused.value.code == "claim-needed"
    assert fleet.care.approve(ANNA, answer.claim.upper()).approval is Approval.CLAIM
    assert fleet.enrol(pi).state is ISSUED
    assert fleet.codes() == ["device-approved"]


def test_a_refused_request_stays_refused_until_somebody_approves_it_after_all(fleet: Fleet) -> None:
    pi = Device()
    fleet.enrol(pi)
    fleet.care.refuse(ANNA, pi.node_id)
    assert fleet.enrol(pi).code == "enrol-refused"
    assert fleet.enrol(pi, fleet.token()).code == "enrol-refused"
    assert fleet.store.devices.rows(EVERYTHING).total == 0
    fleet.care.approve(ANNA, pi.claim(fleet.keys))
    assert fleet.enrol(pi).state is ISSUED


def test_requests_without_a_token_are_bounded(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "HELD_MOST", 3)
    for number in range(3):
        assert fleet.enrol(Device(number)).state is PENDING
    assert fleet.enrol(Device(3)).code == "enrol-too-many"
    assert fleet.enrol(Device(0, key=new_device_key())).code == "enrol-too-many"
    assert fleet.enrol(Device(3), fleet.token()).state is ISSUED


def test_a_node_id_with_another_key_is_refused_and_known_as_a_copy(fleet: Fleet) -> None:
    pi = Device()
    enrolled(fleet, pi)
    copy = Device()
    assert fleet.enrol(copy).code == "enrol-node-known"
    assert fleet.enrol(copy).state is REFUSED
    assert fleet.codes() == ["enrol-node-known"]
    assert fleet.store.devices.keys(pi.node_id) == (pi.signer.public,)
    waits = fleet.enrol(Device(), fleet.token())
    assert (waits.state, waits.code, waits.certificate) == (PENDING, "enrol-node-known", "")


def test_a_technician_who_set_a_node_up_anew_is_let_in_by_its_code_and_the_old_key_ends(fleet: Fleet) -> None:
    pi = Device()
    old = read(enrolled(fleet, pi).encode())
    again = Device()
    fleet.enrol(again, fleet.token())
    with pytest.raises(NotSo):
        fleet.care.approve(ANNA, pi.node_id)
    fleet.care.approve(ANNA, again.claim(fleet.keys))
    assert fleet.enrol(again).state is ISSUED
    assert fleet.store.devices.keys(pi.node_id) == (again.signer.public,)
    assert fleet.store.devices.revoked(fleet.clock.now()) == (old.serial,)
    assert pi.node_id in fleet.changes
    assert fleet.renew(pi, old.pem.decode()).code == "renew-revoked"


def test_later_nodes_of_an_approved_site_are_vouched_for_by_it(fleet: Fleet) -> None:
    first, second = Device(1, site=1), Device(2, site=1)
    enrolled(fleet, first)
    answer = fleet.enrol(second, voucher=first.vouch(second, fleet.clock.now()))
    assert answer.state is ISSUED
    row = fleet.store.devices.row(EVERYTHING, second.node_id)
    assert row is not None
    assert (row.approval, row.approved_by) == (Approval.VOUCHER, first.node_id)


@pytest.mark.parametrize(
    "changed",
    [
        {"key_id": "k-0000000000000000"},
        {"site_id": site_id(2)},
        {"expires": 1},
        {"expires": 1 << 60},
        {"issued": 1 << 50},
    ],
)
def test_a_voucher_is_for_one_key_one_site_and_a_short_time(fleet: Fleet, changed: dict[str, Any]) -> None:
    first, second = Device(1, site=1), Device(2, site=1)
    enrolled(fleet, first)
    text = first.vouch(second, fleet.clock.now(), **changed)
    assert fleet.enrol(second, voucher=text).code == "enrol-voucher-invalid"


def test_nobody_vouches_for_a_site_but_its_active_nodes(fleet: Fleet) -> None:
    elsewhere, stranger, second = Device(1, site=2), Device(3, site=1), Device(2, site=1)
    enrolled(fleet, elsewhere)
    now = fleet.clock.now()
    forged = elsewhere.vouch(second, now, site_id=site_id(1))
    for text in (forged, stranger.vouch(second, now), "rubbish", "QTE="):
        assert fleet.enrol(second, voucher=text).code == "enrol-voucher-invalid"
    enrolled(fleet, stranger)
    text = stranger.vouch(second, now)
    fleet.care.revoke(ANNA, stranger.node_id)
    assert fleet.enrol(second, voucher=text).code == "enrol-voucher-invalid"


def test_a_voucher_in_the_name_of_an_active_node_needs_its_signature(fleet: Fleet) -> None:
    first, second, stranger = Device(1, site=1), Device(2, site=1), Device(3, site=1)
    enrolled(fleet, first)
    genuine = frame_of(first.vouch(second, fleet.clock.now()))
    forged = frame_of(stranger.vouch(second, fleet.clock.now()))
    renamed = Frame(
        payload=forged.payload, signatures=(Signature(first.signer.key_id, forged.signatures[0].value),)
    )
    changed = dataclasses.replace(genuine, payload=genuine.payload.replace(b'"issued"', b'"issueD"'))
    twice = dataclasses.replace(genuine, signatures=genuine.signatures * 2)
    unsigned = dataclasses.replace(genuine, signatures=())
    for frame in (renamed, changed, twice, unsigned):
        text = base64.b64encode(framed(frame)).decode()
        assert fleet.enrol(second, voucher=text).code == "enrol-voucher-invalid"
    assert fleet.enrol(second, voucher=base64.b64encode(framed(genuine)).decode()).state is ISSUED


@pytest.mark.parametrize(
    "changed",
    [
        {"csr": "rubbish"},
        {"csr": "é" * 100},
        {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"},
        {"node_id": "n-1"},
        {"node_id": ""},
        {"site_id": "../etc"},
    ],
)
def test_a_request_that_is_none_is_refused_and_leaves_nothing(fleet: Fleet, changed: dict[str, Any]) -> None:
    request = dataclasses.replace(Device().request(), **changed)
    answer = fleet.enrolment.enrol(request, "192.0.2.1")
    assert answer.code == "enrol-request-invalid"
    assert fleet.store.devices.rows(EVERYTHING).total == 0


def test_an_address_that_guesses_is_not_listened_to_for_a_while_and_others_are(fleet: Fleet) -> None:
    text = fleet.token()
    for _ in range(20):
        assert fleet.enrol(Device(), "hello").code == "enrol-token-wrong"
    with pytest.raises(TooOften):
        fleet.enrol(Device(), text)
    other = fleet.enrolment.enrol(Device().request(text), "192.0.2.2")
    assert other.state is ISSUED
    fleet.clock.pass_by(60)
    assert fleet.enrol(Device(2), fleet.token()).state is ISSUED
