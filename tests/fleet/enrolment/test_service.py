"""Devices ask to enrol and to renew; people approve and revoke. The registry is real, over SQLite."""

import dataclasses
from typing import Any

import pytest

from archipel_contract import catalogue
from archipel_contract.link.envelope import frame_from
from archipel_contract.names import SITE_ID
from archipel_contract.trust.certificates import read
from archipel_contract.trust.enrolment import EnrolmentState, Renewal
from archipel_contract.trust.keys import new_device_key
from archipel_contract.trust.store import TrustStore
from archipel_fleet.device_ports import NameTaken
from archipel_fleet.device_records import Approval, DeviceState, TokenRule
from archipel_fleet.enrolment.caring import DeviceUnknown, NotSo
from archipel_fleet.enrolment.rule import HELD_MOST
from archipel_fleet.enrolment.service import TooOften
from archipel_fleet.records import EVERYTHING, Scope
from tests.fleet.enrolment.applicant import (
    ANNA,
    BROKERS,
    DAY,
    NORA,
    Device,
    Fleet,
    certificates_der,
    node_id,
    said,
    site_id,
)

ISSUED, PENDING, REFUSED = EnrolmentState.ISSUED, EnrolmentState.PENDING, EnrolmentState.REFUSED


def enrolled(fleet: Fleet, device: Device, **token: Any) -> str:
    """Enrol a device by token and return its certificate (PEM)."""
    answer = fleet.enrol(device, fleet.token(**token))
    assert answer.state is ISSUED, answer.code
    return answer.certificate


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


def frame_of(text: str) -> Any:
    import base64

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


def test_requests_without_a_token_are_bounded(fleet: Fleet) -> None:
    for number in range(HELD_MOST):
        fleet.clock.pass_by(10)
        assert fleet.enrol(Device(number, key=KEYS[number % 2])).state is PENDING
    fleet.clock.pass_by(10)
    assert fleet.enrol(Device(HELD_MOST)).code == "enrol-too-many"
    assert fleet.enrol(Device(HELD_MOST), fleet.token()).state is ISSUED


KEYS = (new_device_key(), new_device_key())


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
def test_a_request_that_is_none_is_refused_and_leaves_nothing(fleet: Fleet, changed: dict[str, str]) -> None:
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


# --- renewal ---------------------------------------------------------------------------------------------------------


def test_from_half_of_its_life_a_certificate_is_renewed_with_the_same_key(fleet: Fleet) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    early = fleet.renew(pi, first)
    assert (early.state, early.certificate) == (ISSUED, first)
    fleet.clock.pass_by(200 * 86_400)
    later = fleet.renew(pi, first)
    assert later.state is ISSUED
    assert said(later).not_after > read(first.encode()).not_after
    assert fleet.store.devices.keys(pi.node_id) == (pi.signer.public,)


def test_a_new_key_counts_beside_the_old_one_until_it_was_used(fleet: Fleet) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    fleet.clock.pass_by(200 * 86_400)
    new = Device(key=new_device_key())
    answer = fleet.renew(pi, first, new.key)
    assert answer.state is ISSUED
    devices = fleet.store.devices
    assert devices.keys(pi.node_id) == (pi.signer.public, new.signer.public)
    devices.seen(pi.node_id, pi.signer.key_id, "", fleet.clock.now())
    assert len(devices.keys(pi.node_id)) == 2
    devices.seen(pi.node_id, new.signer.key_id, site_id(4), fleet.clock.now())
    assert devices.keys(pi.node_id) == (new.signer.public,)
    assert fleet.renew(pi, first).code == "renew-other-key"
    row = devices.row(EVERYTHING, pi.node_id)
    assert row is not None
    assert row.site_id == site_id(4)


def test_a_new_key_before_half_of_life_must_be_wished_for(fleet: Fleet) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    new = new_device_key()
    assert fleet.renew(pi, first, new).code == "renew-early"
    assert fleet.renew(pi, first, new, forced=True).state is ISSUED


@pytest.mark.parametrize(("days", "state", "code"), [
    (365 + 729, ISSUED, ""), (365 + 731, REFUSED, "renew-too-late"),
])  # fmt: skip
def test_an_ended_certificate_renews_for_two_years(
    fleet: Fleet, days: int, state: EnrolmentState, code: str
) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    fleet.clock.pass_by(days * 86_400)
    answer = fleet.renew(pi, first)
    assert (answer.state, answer.code) == (state, code)


def test_after_two_years_a_new_token_makes_the_same_device_welcome_again(fleet: Fleet) -> None:
    pi = Device()
    enrolled(fleet, pi)
    fleet.clock.pass_by(1500 * 86_400)
    assert fleet.enrol(pi).state is PENDING
    assert fleet.enrol(pi, fleet.token()).state is ISSUED
    assert len(fleet.store.devices.keys(pi.node_id)) == 1


def test_a_revoked_device_neither_renews_nor_enrols_nor_signs(fleet: Fleet) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    assert fleet.store.devices.keys(pi.node_id)
    fleet.care.revoke(ANNA, "pi")
    assert fleet.store.devices.keys(pi.node_id) == ()
    fleet.clock.pass_by(200 * 86_400)
    assert fleet.renew(pi, first).code == "renew-revoked"
    assert fleet.enrol(pi, fleet.token()).code == "enrol-revoked"
    assert fleet.store.devices.revoked(fleet.clock.now()) == (read(first.encode()).serial,)
    assert pi.node_id in fleet.changes
    assert fleet.codes() == ["device-revoked", "renew-revoked", "enrol-revoked"]
    with pytest.raises(NotSo):
        fleet.care.revoke(ANNA, "pi")


def test_a_decommissioned_device_comes_again_only_with_a_new_key(fleet: Fleet) -> None:
    pi = Device()
    enrolled(fleet, pi)
    fleet.care.decommission(ANNA, pi.node_id)
    assert fleet.enrol(pi, fleet.token()).code == "enrol-revoked"
    assert fleet.enrol(Device(), fleet.token()).state is ISSUED


def test_renewal_needs_a_certificate_and_a_device_that_is_known(fleet: Fleet) -> None:
    pi = Device()
    assert fleet.enrolment.renew(None, pi.renewal(), "192.0.2.1").code == "renew-no-certificate"
    assert fleet.enrolment.renew(None, Renewal(csr="x"), "192.0.2.1").code == "enrol-request-invalid"
    stranger = fleet.keys.authority.device(node_id(9), pi.key.public_key(), said_now(fleet))
    peer = certificates_der(stranger.pem.decode())
    assert fleet.enrolment.renew(peer, pi.renewal(), "192.0.2.1").code == "renew-unknown"


def said_now(fleet: Fleet) -> Any:
    from tests.fleet.enrolment.applicant import moment

    return moment(fleet.clock.now())


def test_a_registry_restored_from_an_older_copy_still_renews_the_keys_it_knows(fleet: Fleet) -> None:
    pi = Device()
    enrolled(fleet, pi)
    unknown = fleet.keys.authority.device(pi.node_id, pi.key.public_key(), said_now(fleet))
    fleet.clock.pass_by(200 * 86_400)
    assert fleet.renew(pi, unknown.pem.decode()).state is ISSUED
    other = new_device_key()
    foreign = fleet.keys.authority.device(pi.node_id, other.public_key(), said_now(fleet))
    assert fleet.renew(Device(key=other), foreign.pem.decode()).code == "renew-other-key"


# --- people ----------------------------------------------------------------------------------------------------------


def test_a_customers_operator_touches_no_device_of_another(fleet: Fleet) -> None:
    fleet.store.add_customer("north")
    enrolled(fleet, Device(1))
    fleet.enrol(Device(2))
    for deed in (fleet.care.revoke, fleet.care.decommission, fleet.care.approve, fleet.care.refuse):
        for name in (node_id(1), "pi", node_id(2), Device(2).claim(fleet.keys)):
            with pytest.raises(DeviceUnknown):
                deed(NORA, name)
    with pytest.raises(DeviceUnknown):
        fleet.care.rename(NORA, "pi", "x")
    assert fleet.store.devices.tokens(NORA.scope) == ()
    assert fleet.store.devices.events(NORA.scope) == ()


def test_names_are_unique_and_printable(fleet: Fleet) -> None:
    enrolled(fleet, Device(1, hostname="one"))
    enrolled(fleet, Device(2, hostname="two"))
    assert fleet.care.rename(ANNA, "one", "  gate\n3 ").name == "gate 3"
    assert fleet.care.rename(ANNA, "gate 3", "gate 3").name == "gate 3"
    with pytest.raises(NameTaken):
        fleet.care.rename(ANNA, "two", "gate 3")
    with pytest.raises(NotSo):
        fleet.care.rename(ANNA, "two", "\n")


def test_every_refusal_has_its_words_in_both_languages() -> None:
    for code in REFUSALS:
        finding = catalogue.finding(code)
        for language in ("en", "de"):
            words = catalogue.words(finding, language)
            assert words.title and words.cause
            assert ": " in words.remedy, code


REFUSALS = (
    "enrol-node-known", "enrol-refused", "enrol-request-invalid", "enrol-revoked", "enrol-too-many",
    "enrol-token-elsewhere", "enrol-token-expired", "enrol-token-used", "enrol-token-wrong", "enrol-voucher-invalid",
    "renew-early", "renew-no-certificate", "renew-other-key", "renew-revoked", "renew-too-late", "renew-unknown",
)  # fmt: skip


def test_ids_of_these_tests_are_ids() -> None:
    assert SITE_ID.fullmatch(site_id(1))
    assert DAY == 86_400_000
