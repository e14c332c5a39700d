"""People look after devices: names, what was refused, who did what; every refusal has its words."""

import pytest

from archipel_contract import catalogue
from archipel_contract.catalogue.web import Words
from archipel_contract.names import SITE_ID
from archipel_contract.trust.enrolment import EnrolmentState
from archipel_fleet.device_ports import NameTaken
from archipel_fleet.device_records import DeviceState, Spoken
from archipel_fleet.enrolment import noticed
from archipel_fleet.enrolment.caring import DeviceUnknown, NotSo
from archipel_fleet.records import EVERYTHING
from tests.fleet.enrolment.applicant import (
    ANNA,
    DAY,
    NORA,
    Device,
    Fleet,
    enrolled,
    node_id,
    site_id,
)

ISSUED, PENDING, REFUSED = EnrolmentState.ISSUED, EnrolmentState.PENDING, EnrolmentState.REFUSED


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


def test_what_was_refused_of_a_node_is_a_finding_for_a_week(fleet: Fleet) -> None:
    pi = Device()
    enrolled(fleet, pi)
    for _ in range(3):
        fleet.enrol(Device(), "rubbish")
    fleet.care.revoke(ANNA, "pi")
    now = fleet.clock.now()
    (row,) = noticed.about(fleet.store.devices, pi.node_id, now)
    assert (row.finding.code, row.by_controller) == ("enrol-token-wrong", True)
    assert row.finding.evidence == ("3x pi",)
    assert noticed.about(fleet.store.devices, node_id(2), now) == ()
    assert noticed.about(fleet.store.devices, pi.node_id, now + 8 * DAY) == ()


def test_who_did_what_about_devices_is_written_down(fleet: Fleet) -> None:
    enrolled(fleet, Device(1))
    fleet.enrol(Device(2))
    fleet.care.refuse(ANNA, node_id(2))
    fleet.care.rename(ANNA, "pi", "gate")
    fleet.care.revoke(ANNA, "gate")
    fleet.care.remove_token(ANNA, fleet.store.devices.tokens(EVERYTHING)[0].id)
    deeds = fleet.store.book.deeds(EVERYTHING)
    assert [(one.actor, one.action) for one in reversed(deeds)] == [
        ("fleet:anna", "token-made"),
        ("controller", "device-enrolled"),
        ("fleet:anna", "device-refused"),
        ("fleet:anna", "device-renamed"),
        ("fleet:anna", "device-revoked"),
        ("fleet:anna", "token-removed"),
    ]
    assert deeds[4].params["token"] == fleet.store.devices.row(EVERYTHING, "gate").token  # type: ignore[union-attr]  # it is there
    assert {"device": "pi", "before": "pi", "after": "gate"}.items() <= deeds[2].params.items()
    assert deeds[2].node_id == node_id(1)
    words = Words("de")
    assert all(words.has(f"audit.do-{one.action}") for one in deeds)
    with pytest.raises(DeviceUnknown):
        fleet.care.remove_token(ANNA, "none")


def test_whoever_comes_in_or_is_ended_stands_in_the_chain_also_when_no_person_did_it(fleet: Fleet) -> None:
    """Nothing here goes through what people do: the registry itself writes it down, and the chain holds."""
    gate = Device(1, site=1)
    certificate = enrolled(fleet, gate)
    fleet.store.devices.seen([Spoken(gate.node_id, gate.signer.key_id, site_id(1))], fleet.clock.now())
    later = Device(2, site=1)
    assert fleet.enrol(later, voucher=gate.vouch(later, fleet.clock.now())).state is ISSUED
    fleet.clock.pass_by(500 * DAY / 1000)
    assert fleet.renew(gate, certificate, forced=True).state is ISSUED
    fleet.store.devices.end(later.node_id, DeviceState.DECOMMISSIONED, "anna", fleet.clock.now())
    deeds = fleet.store.book.deeds(EVERYTHING)
    assert [(one.actor, one.action, one.node_id) for one in reversed(deeds)] == [
        ("fleet:anna", "token-made", ""),
        ("controller", "device-enrolled", gate.node_id),
        ("controller", "device-enrolled", later.node_id),
        ("controller", "device-renewed-late", gate.node_id),
        ("fleet:anna", "device-decommissioned", later.node_id),
    ]
    assert deeds[2].params["voucher"] == gate.node_id
    assert [(one.entries, one.problem) for one in fleet.store.book.verify_deeds()] == [(5, "")]
    for language in ("en", "de"):
        assert all(Words(language).has(f"audit.do-{one.action}") for one in deeds)


def test_a_renewal_in_time_is_no_line_of_the_journal(fleet: Fleet) -> None:
    gate = Device(1)
    certificate = enrolled(fleet, gate)
    fleet.clock.pass_by(300 * DAY / 1000)
    assert fleet.renew(gate, certificate).state is ISSUED
    assert fleet.store.book.deeds(EVERYTHING)[0].action == "device-enrolled"


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
