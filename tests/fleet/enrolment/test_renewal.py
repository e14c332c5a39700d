"""Devices renew their certificates: in time, early, late, revoked, with another key."""

from typing import Any

import pytest

from archipel_contract.trust.certificates import read
from archipel_contract.trust.enrolment import EnrolmentState, Renewal
from archipel_contract.trust.keys import new_device_key
from archipel_fleet.device_records import Spoken
from archipel_fleet.enrolment.caring import NotSo
from archipel_fleet.records import EVERYTHING
from tests.fleet.enrolment.applicant import (
    ANNA,
    Device,
    Fleet,
    certificates_der,
    enrolled,
    moment,
    node_id,
    said,
    site_id,
)

ISSUED, PENDING, REFUSED = EnrolmentState.ISSUED, EnrolmentState.PENDING, EnrolmentState.REFUSED


def test_from_half_of_its_life_a_certificate_is_renewed_with_the_same_key(fleet: Fleet) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    early = fleet.renew(pi, first)
    assert (early.state, early.certificate) == (ISSUED, first)
    fleet.clock.pass_by(200 * 86_400)
    later = fleet.renew(pi, first)
    assert later.state is ISSUED
    assert said(later).not_after > read(first.encode()).not_after
    assert fleet.changes == ["in"]  # the broker knows this key
    assert fleet.store.devices.keys(pi.node_id) == (pi.signer.public,)


def test_a_new_key_counts_beside_the_old_one_until_it_was_used(fleet: Fleet) -> None:
    pi = Device()
    first = enrolled(fleet, pi)
    fleet.clock.pass_by(200 * 86_400)
    new = Device(key=new_device_key())
    answer = fleet.renew(pi, first, new.key)
    assert answer.state is ISSUED
    assert fleet.changes == ["in", "in"]  # the broker was told of the next key
    devices = fleet.store.devices
    assert devices.keys(pi.node_id) == (pi.signer.public, new.signer.public)
    devices.seen([Spoken(pi.node_id, pi.signer.key_id, "")], fleet.clock.now())
    assert len(devices.keys(pi.node_id)) == 2
    devices.seen([Spoken(pi.node_id, new.signer.key_id, site_id(4))], fleet.clock.now())
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
