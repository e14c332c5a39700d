"""The registry of devices on both databases: a token is spent once, keys follow decisions, no customer sees another's."""

import dataclasses
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from archipel_contract.trust.enrolment import EnrolmentState
from archipel_contract.trust.keys import SoftwareSigner, new_device_key
from archipel_fleet.backup import backup, restore
from archipel_fleet.device_ports import NameTaken
from archipel_fleet.device_records import (
    Approval,
    CertificateRow,
    Decision,
    DeviceState,
    Known,
    Spoken,
    TokenRow,
    Wanted,
)
from archipel_fleet.enrolment import rule
from archipel_fleet.records import EVERYTHING, Page, Scope
from archipel_fleet.storage import SqlStore
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import DAY, HOUR, NOW, Speaker, node_id, site_id

PUBLICS = [SoftwareSigner(new_device_key()).public for _ in range(8)]
NORTH, SOUTH = Scope("north"), Scope("south")


def wanted(number: int, token: str = "", key: int | None = None, **more: Any) -> Wanted:
    public = PUBLICS[(number if key is None else key) % len(PUBLICS)]
    known: dict[str, Any] = {
        "node_id": node_id(number), "key_id": public.key_id, "public": str(public), "hostname": f"pi-{number}",
        "claim": f"claim-{number}-{key}", "token_given": bool(token), "token_id": token, "token_digest": token,
    }  # fmt: skip
    return Wanted(**(known | more))


def token(name: str = "t", **more: Any) -> TokenRow:
    return dataclasses.replace(
        TokenRow(id=name, digest=name, made_by="anna", made=NOW, expires=NOW + DAY), **more
    )


def decided(one: Wanted, known: Known) -> Decision:
    return rule.decide(one, known, NOW)


def settle(store: SqlStore, one: Wanted, now: int = NOW) -> EnrolmentState:
    return store.devices.settle(one, decided, now).state


def certificate(number: int, serial: str, key: int | None = None, **more: Any) -> CertificateRow:
    made = CertificateRow(
        serial=serial, node_id=node_id(number), key_id=wanted(number, key=key).key_id,
        issued=NOW, not_after=NOW + 365 * DAY, pem="pem",
    )  # fmt: skip
    return dataclasses.replace(made, **more)


def enrol(store: SqlStore, number: int, **more: Any) -> None:
    store.devices.add_token(token(f"t{number}", **{k: v for k, v in more.items() if k == "customer"}))
    said = {name: value for name, value in more.items() if name != "customer"}
    assert settle(store, wanted(number, f"t{number}", **said)) is EnrolmentState.ISSUED
    assert store.devices.issue(certificate(number, f"a{number}"), wanted(number).public, NOW)


def test_a_token_is_spent_once_whoever_asks_at_the_same_time(ground: Ground) -> None:
    # Two controllers over one database, four devices each.
    stores = [ground.open(), ground.open()] if ground.url else [ground.open()]
    stores[0].devices.add_token(token(uses=3, left=3))
    states: list[EnrolmentState] = []
    gate = threading.Barrier(8)

    def ask(number: int) -> None:
        gate.wait()
        states.append(settle(stores[number % len(stores)], wanted(number, "t")))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert states.count(EnrolmentState.ISSUED) == 3
    assert states.count(EnrolmentState.REFUSED) == 5
    assert stores[0].devices.tokens(EVERYTHING)[0].left == 0
    assert stores[0].devices.rows(EVERYTHING).total == 3


def test_keys_are_those_of_active_devices_and_change_at_once(store: SqlStore) -> None:
    devices = store.devices
    assert devices.keys(node_id(1)) == ()
    enrol(store, 1)
    assert devices.keys(node_id(1)) == (PUBLICS[1],)
    assert devices.issue(certificate(1, "b1", key=2), str(PUBLICS[2]), NOW)
    assert devices.keys(node_id(1)) == (PUBLICS[1], PUBLICS[2])
    found = devices.key(PUBLICS[2].key_id)
    assert found is not None
    assert found[1] == PUBLICS[2]
    devices.seen([Spoken(node_id(1), PUBLICS[2].key_id, site_id(1))], NOW)
    assert devices.keys(node_id(1)) == (PUBLICS[2],)
    assert devices.key(PUBLICS[1].key_id) is None
    assert devices.end(node_id(1), DeviceState.REVOKED, "anna", NOW)
    assert devices.keys(node_id(1)) == ()
    assert not devices.end(node_id(1), DeviceState.DECOMMISSIONED, "anna", NOW)
    assert not devices.issue(certificate(1, "c1"), wanted(1).public, NOW)
    assert devices.certificate("c1") is None


def test_brokers_are_told_the_keys_of_active_devices_and_the_next_ones_beside_them(store: SqlStore) -> None:
    devices, ids = store.devices, [one.key_id for one in PUBLICS]
    assert devices.admitted() == {}
    for number in (1, 2, 3):
        enrol(store, number)
    assert settle(store, wanted(4)) is EnrolmentState.PENDING
    assert devices.issue(certificate(1, "b1", key=5), str(PUBLICS[5]), NOW)
    assert devices.end(node_id(3), DeviceState.DECOMMISSIONED, "anna", NOW)
    assert devices.admitted() == {node_id(1): (ids[1], ids[5]), node_id(2): (ids[2],)}
    devices.seen([Spoken(node_id(1), ids[5])], NOW)
    assert settle(store, wanted(2, key=6)) is EnrolmentState.REFUSED
    assert devices.approve("claim-2-6", "anna", NOW) is not None
    assert devices.admitted() == {node_id(1): (ids[5],), node_id(2): (ids[6],)}


def test_another_controller_sees_a_revocation_within_seconds(ground: Ground) -> None:
    first, second = ground.open(), ground.open()
    enrol(first, 1)
    assert second.devices.keys(node_id(1)) == (PUBLICS[1],)
    first.devices.end(node_id(1), DeviceState.REVOKED, "anna", NOW)
    ground.clock.pass_by(5)
    assert second.devices.keys(node_id(1)) == ()


def test_being_seen_is_written_down_once_a_minute_and_by_no_unknown_key(store: SqlStore) -> None:
    enrol(store, 1)

    def last() -> int | None:
        row = store.devices.device(node_id(1))
        assert row is not None
        return row.last_seen

    for after, then in ((1000, NOW + 1000), (2000, NOW + 1000), (62_000, NOW + 62_000)):
        store.devices.seen([Spoken(node_id(1), PUBLICS[1].key_id, site_id(1))], NOW + after)
        assert last() == then
    store.devices.seen([Spoken(node_id(1), PUBLICS[5].key_id, site_id(1))], NOW + DAY)
    store.devices.seen([Spoken(node_id(7), PUBLICS[5].key_id, site_id(1))], NOW + DAY)
    assert last() == NOW + 62_000


def test_a_batch_is_seen_in_one_transaction(sqlite: Ground) -> None:
    store = sqlite.open()
    for number in (1, 2, 3):
        enrol(store, number)
    began = []
    sa.event.listen(store._engines.writing, "commit", lambda connection: began.append(1))
    spoken = [Spoken(node_id(number), PUBLICS[number].key_id) for number in (3, 1, 2)]
    store.devices.seen(spoken, NOW + HOUR)
    store.devices.seen(spoken, NOW + HOUR + 1000)
    assert len(began) == 1
    assert {row.last_seen for row in store.devices.rows(EVERYTHING).rows} == {NOW + HOUR}


def test_requests_stand_before_devices_and_pages_hold_both(store: SqlStore) -> None:
    for number in (3, 1, 2):
        enrol(store, number)
    for number in (5, 4):
        settle(store, wanted(number), NOW - number)
    rows = [row for page in (1, 2, 3) for row in store.devices.rows(EVERYTHING, page=page, size=2).rows]
    assert [row.node_id for row in rows] == [node_id(number) for number in (5, 4, 1, 2, 3)]
    assert store.devices.rows(EVERYTHING, size=2).total == 5
    assert store.devices.rows(EVERYTHING, [DeviceState.PENDING]).total == 2
    assert [row.name for row in store.devices.rows(EVERYTHING, text="PI-2").rows] == ["pi-2"]
    assert store.devices.rows(EVERYTHING, text="%").total == 0
    settle(store, wanted(6), NOW + 20 * DAY)
    assert store.devices.rows(EVERYTHING, [DeviceState.PENDING]).total == 1, "old ones are forgotten"


def test_approving_by_code_replaces_the_key_and_revokes_what_was(store: SqlStore) -> None:
    enrol(store, 1)
    assert settle(store, wanted(1, key=3)) is EnrolmentState.REFUSED
    row = store.devices.approve("claim-1-3", "anna", NOW)
    assert row is not None
    assert (row.key_id, row.name, row.approved_by) == (PUBLICS[3].key_id, "pi-1", "anna")
    assert store.devices.keys(node_id(1)) == (PUBLICS[3],)
    assert store.devices.revoked(NOW) == (0xA1,)
    assert store.devices.revoked(NOW + 600 * DAY) == ()
    assert store.devices.approve("claim-1-3", "anna", NOW) is None
    assert not store.devices.refuse("claim-1-3", "anna", NOW)


def test_the_same_event_again_is_counted(store: SqlStore) -> None:
    for after in (0, 1000, 2 * HOUR):
        store.devices.happened(node_id(1), "enrol-token-wrong", "", "", NOW + after)
    store.devices.happened(node_id(1), "enrol-token-used", "", "", NOW + 2 * HOUR)
    found = [(one.code, one.count) for one in store.devices.events(EVERYTHING)]
    assert found == [("enrol-token-used", 1), ("enrol-token-wrong", 1), ("enrol-token-wrong", 2)]


def test_names_are_unique_within_a_customer(store: SqlStore) -> None:
    store.add_customer("north")
    enrol(store, 1, hostname="gate")
    enrol(store, 2, hostname="gate")
    enrol(store, 3, hostname="gate", customer="north")
    names = {row.node_id: row.name for row in store.devices.rows(EVERYTHING).rows}
    assert names == {node_id(1): "gate", node_id(2): "gate-2", node_id(3): "gate"}
    with pytest.raises(NameTaken):
        store.devices.rename(node_id(2), "gate")
    assert store.devices.rename(node_id(2), "door")
    assert not store.devices.rename(node_id(9), "door")
    assert store.devices.row(NORTH, "gate") is not None
    assert store.devices.row(EVERYTHING, "gate") is None, "two have that name"


def test_a_site_that_comes_with_a_device_belongs_to_its_customer(store: SqlStore) -> None:
    store.add_customer("north")
    enrol(store, 1, customer="north")
    pi = Speaker(1, site_id(1), "fjord", "pi")
    store.take([pi.presence(), pi.hello()])
    assert store.summary(NORTH, NOW).sites == 1
    store.devices.seen([Spoken(node_id(1), PUBLICS[1].key_id, site_id(1))], NOW)
    assert [row.site_name for row in store.devices.rows(NORTH).rows] == ["fjord"], "as the fleet knows it"


def test_devices_go_with_their_site_to_another_customer(store: SqlStore) -> None:
    for name in ("north", "south"):
        store.add_customer(name)
    enrol(store, 1, hostname="gate", site_id=site_id(1))
    enrol(store, 2, hostname="gate", customer="south")
    settle(store, wanted(3, site_id=site_id(1)))
    pi = Speaker(1, site_id(1), "fjord", "pi")
    store.take([pi.presence(), pi.hello()])
    assert store.assign(site_id(1), "south")
    names = [row.name for row in store.devices.rows(SOUTH, [DeviceState.ACTIVE]).rows]
    assert names == ["gate", "gate-2"]
    assert store.devices.rows(SOUTH, [DeviceState.PENDING]).total == 1
    assert store.devices.rows(Scope("default")).total == 0


def test_no_customer_reads_a_byte_of_anothers_devices(store: SqlStore) -> None:
    for name in ("north", "south"):
        store.add_customer(name)
    enrol(store, 1, customer="south", hostname="zanzibar")
    store.devices.end(node_id(1), DeviceState.REVOKED, "zanzibar", NOW)
    south = Speaker(2, site_id(2), "zanzibar", "pi")
    store.take([south.presence(), south.hello()])
    store.assign(site_id(2), "south")
    settle(store, wanted(4, site_id=site_id(2), hostname="zanzibar"))
    devices = store.devices
    for scope, some in ((NORTH, False), (SOUTH, True)):
        read = (
            devices.rows(scope).rows, devices.rows(scope, text="zanzibar").rows, devices.row(scope, node_id(1)),
            devices.row(scope, "zanzibar"), devices.request(scope, "claim-4-None"),
            devices.requests_of(scope, node_id(4)), devices.tokens(scope), devices.events(scope),
        )  # fmt: skip
        assert [bool(one) for one in read] == [some] * len(read)
    assert not devices.remove_token(NORTH, "t1")
    assert devices.remove_token(SOUTH, "t1")
    assert devices.rows(NORTH) == Page(rows=(), total=0, page=1, size=50)


def test_a_copy_holds_the_registry(sqlite: Ground) -> None:
    store = sqlite.open()
    enrol(store, 1)
    settle(store, wanted(2))
    store.devices.end(node_id(1), DeviceState.DECOMMISSIONED, "anna", NOW)
    before = (store.devices.rows(EVERYTHING).rows, store.devices.tokens(EVERYTHING))
    revoked = store.devices.revoked(NOW)
    store.close()
    copy = sqlite.directory / "copy"
    backup("", sqlite.directory, copy, NOW)
    (sqlite.directory / "fleet.db").unlink()
    restore(copy, "", sqlite.directory, sqlite.entropy)
    again = sqlite.open()
    assert (again.devices.rows(EVERYTHING).rows, again.devices.tokens(EVERYTHING)) == before
    assert again.devices.revoked(NOW) == revoked == (0xA1,)
    assert [one.code for one in again.devices.events(EVERYTHING)] == ["device-decommissioned"]
    row = again.devices.device(node_id(1))
    assert row is not None
    assert row.approval is Approval.TOKEN
