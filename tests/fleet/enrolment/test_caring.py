"""People look after devices: names, what was refused, who did what; every refusal has its words."""

import pytest

from archipel_contract import catalogue
from archipel_contract.catalogue.web import Words
from archipel_contract.names import SITE_ID
from archipel_contract.trust.enrolment import EnrolmentState
from archipel_fleet.device_ports import NameTaken
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
    assert [one.action for one in reversed(deeds)] == [
        "token-made", "device-refused", "device-renamed", "device-revoked", "token-removed",
    ]  # fmt: skip
    assert {one.actor for one in deeds} == {"fleet:anna"}
    assert {"device": "pi", "before": "pi", "after": "gate"}.items() <= deeds[2].params.items()
    assert deeds[2].node_id == node_id(1)
    words = Words("de")
    assert all(words.has(f"audit.do-{one.action}") for one in deeds)
    with pytest.raises(DeviceUnknown):
        fleet.care.remove_token(ANNA, "none")


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
