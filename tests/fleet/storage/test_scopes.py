"""No byte of one customer reaches another, by whatever call."""

import dataclasses
import inspect
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from archipel_contract.findings import Finding, Severity
from archipel_contract.link.epochs import Lane
from archipel_contract.site import Role
from archipel_contract.status import Condition, Health, K3sStatus, Pod, Truth
from archipel_fleet.ports import Reader
from archipel_fleet.records import EVERYTHING, Account, AccountRole, Scope, SiteQuery, SiteSort
from archipel_fleet.storage import SqlStore
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import DAY, HOUR, NOW, Speaker, node_id, site_id

NORTH, SOUTH = Scope("north"), Scope("south")
SECRET = "zanzibar"  # stands in every text that the south's nodes say


def fill(store: SqlStore) -> None:
    """Two sites of each customer, every text of the south's saying SECRET."""
    for name in ("north", "south"):
        assert store.add_customer(name)
    for number in range(1, 5):
        south = number > 2
        word = SECRET if south else "fjord"
        pi = Speaker(number, site_id(number), f"{word}-{number}", f"{word}-pi-{number}")
        finding = Finding(code=f"{word}-code", severity=Severity.PROBLEM, evidence=(word,), summary=word)
        store.take([
            pi.presence(), pi.hello(agent_version=word),
            pi.full(
                findings={"a": finding}, health=Health.UNHEALTHY, k3s=K3sStatus(version=word), cluster_reachable=True,
                conditions={word: Condition(type=word, status=Truth.TRUE, reason=word)},
                pods={word: Pod(namespace=word, name=word, phase=word, ready=False)},
            ),
            pi.event(text=word, subject=word), pi.samples(NOW - HOUR, 77.0 if south else 11.0),
            pi.gap(pi.epoch(Lane.EVENT), 2, 3),
        ])  # fmt: skip
        assert store.assign(pi.site, "south" if south else "north")
        # Also what comes after the assignment, over whatever the batch path holds.
        store.take(
            [pi.event(text=word), pi.changed(generation=number), pi.samples(NOW, 77.0 if south else 11.0)]
        )


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """A store with two customers."""
    fill(store)
    return store


def everything_read(store: SqlStore, scope: Scope, arguments: dict[str, Any]) -> dict[str, Any]:
    """What every method of Reader answers within `scope`, given `arguments` as far as it has them."""
    found = {}
    for name, method in inspect.getmembers(Reader, inspect.isfunction):
        wanted = [one for one in inspect.signature(method).parameters if one not in ("self", "scope")]
        if not name.startswith("_"):
            found[name] = getattr(store, name)(
                scope, **{one: arguments[one] for one in wanted if one in arguments}
            )
    return found


def asked(number: int, **more: Any) -> dict[str, Any]:
    """Arguments that ask for the `number`th site and node."""
    return {
        "now": NOW, "query": SiteQuery(), "site": site_id(number), "site_id": site_id(number),
        "node_id": node_id(number), "since": NOW - DAY, "until": NOW + DAY, **more,
    }  # fmt: skip


def test_each_customer_reads_its_own(filled: SqlStore) -> None:
    for scope, number, value in ((NORTH, 1, 11.0), (SOUTH, 3, 77.0)):
        read = everything_read(filled, scope, asked(number))
        assert read["sites"].total == 2
        assert read["summary"].sites == 2
        assert read["summary"].nodes == 2
        assert read["nodes"].total == 1
        assert len(read["events"]) == 2
        assert read["site"].pods
        assert read["site"].gaps
        assert read["metrics"].values["cpu_percent"] == (value, value)
        assert read["health_spans"][-1].state == "unhealthy"
    assert everything_read(filled, EVERYTHING, asked(3))["sites"].total == 4


def test_who_asks_for_what_is_anothers_gets_the_same_as_for_what_does_not_exist(filled: SqlStore) -> None:
    assert everything_read(filled, NORTH, asked(3)) == everything_read(filled, NORTH, asked(9))


QUERIES = st.builds(
    SiteQuery,
    text=st.sampled_from(["", SECRET, "s-", "%", "_", "'", site_id(3)]),
    customer=st.sampled_from(["", "south", "north"]),
    k3s_version=st.sampled_from(["", SECRET, "%"]),
    os_name=st.sampled_from(["", "\n"]),
    finding=st.sampled_from(["", f"{SECRET}-code", "% %"]),
    health=st.sampled_from([(), (Health.UNHEALTHY,)]),
    sort=st.sampled_from(SiteSort),
    descending=st.booleans(),
    page=st.integers(-1, 3),
    size=st.integers(0, 4),
)


def test_no_question_brings_a_byte_of_another_customer(filled: SqlStore) -> None:
    ids = [node_id(3), site_id(3), SECRET]

    @hypothesis.settings(max_examples=25)
    @hypothesis.given(
        query=QUERIES,
        name=st.sampled_from([site_id(3), f"{SECRET}-3", node_id(3), "", site_id(1), "%"]),
        node=st.sampled_from([node_id(3), node_id(1), "", SECRET]),
        text=st.sampled_from(["", SECRET, "n-", "%"]),
    )
    def ask(query: SiteQuery, name: str, node: str, text: str) -> None:
        read = everything_read(
            filled, NORTH, asked(1, query=query, site=name, site_id=name, node_id=node, text=text)
        )
        seen = repr({key: value for key, value in read.items() if key != "metrics"})
        assert not [one for one in ids if one in seen]
        metrics = read["metrics"]
        assert metrics is None or metrics.node_id != node_id(3)
        assert "south" not in repr(read["sites"].rows)
        assert "south" not in repr(read["summary"])

    ask()


def test_a_node_that_comes_from_another_customer_brings_nothing_along(filled: SqlStore) -> None:
    moved = dataclasses.replace(
        Speaker(3, name="pi-3", role=Role.AGENT),
        site=site_id(1),
        site_name="fjord-1",
        counter=2,
        connection=2,
    )
    taken = filled.take([moved.presence(), moved.hello()])
    assert taken.welcomes[moved.node_id].state_hash == ""
    read = everything_read(filled, NORTH, asked(1))
    assert SECRET not in repr(read)
    assert filled.metrics(NORTH, moved.node_id, 0, NOW + DAY) is not None
    assert filled.metrics(NORTH, moved.node_id, 0, NOW + DAY).at == ()  # type: ignore[union-attr]  # asserted above
    assert filled.metrics(SOUTH, moved.node_id, 0, NOW + DAY) is None
    assert [one.text for one in filled.events(SOUTH, site_id(3))] == [SECRET, SECRET]
    assert filled.events(SOUTH, site_id(3))[0].node_name == node_id(3)


def test_a_state_that_claims_another_customers_site_is_asked_for_anew(filled: SqlStore) -> None:
    pi = Speaker(3, site_id(3), f"{SECRET}-3", f"{SECRET}-pi-3")
    pi.sequences = {Lane.STATE: 5}
    taken = filled.take([pi.full(site_id=site_id(2), site_name="x", node_name="plain")])
    assert pi.node_id in taken.asks
    assert SECRET not in repr(everything_read(filled, NORTH, asked(2)))


def test_assignments_are_refused_for_what_is_not_there_and_take_history_along(filled: SqlStore) -> None:
    assert not filled.assign(site_id(9), "north")
    assert not filled.assign(site_id(1), "nobody")
    assert filled.assign(site_id(3), "north")
    assert filled.summary(NORTH, NOW).sites == 3
    assert len(filled.events(NORTH, site_id(3))) == 2
    assert filled.events(SOUTH, site_id(3)) == ()


def test_an_assignment_by_another_process_reaches_the_batch_path(ground: Ground, filled: SqlStore) -> None:
    pi = Speaker(1, site_id(1), "fjord-1")
    pi.sequences = {Lane.EVENT: 7}
    ground.open().assign(pi.site, "south")
    filled.take([pi.event(text="after")])
    assert filled.events(NORTH, pi.site) == ()
    assert filled.events(SOUTH, pi.site)[0].text == "after"


# --- accounts --------------------------------------------------------------------------------------------------------


def test_accounts_keep_their_password_unless_given_a_new_one_and_lose_their_sessions(store: SqlStore) -> None:
    anna = Account(name="anna", role=AccountRole.ADMIN)
    store.put_account(anna, "hash-1")
    store.open_session("digest", "anna", NOW, NOW + HOUR)
    assert store.session("digest", NOW) == anna
    store.put_account(dataclasses.replace(anna, customer="north"), None)
    assert store.session("digest", NOW) is None
    assert store.password_hash("anna") == "hash-1"
    assert store.accounts() == (Account(name="anna", role=AccountRole.ADMIN, customer="north"),)


def test_sessions_end_by_themselves_by_hand_and_with_their_account(store: SqlStore) -> None:
    store.put_account(Account(name="anna", role=AccountRole.VIEWER), "h")
    for digest in ("a", "b", "c"):
        store.open_session(digest, "anna", NOW, NOW + HOUR)
    store.close_session("a")
    assert store.session("a", NOW) is None
    assert store.session("b", NOW + HOUR) is None
    assert store.remove_account("anna")
    assert not store.remove_account("anna")
    assert store.session("c", NOW) is None


def test_a_disabled_account_neither_logs_in_nor_stays_in(store: SqlStore) -> None:
    store.put_account(Account(name="anna", role=AccountRole.VIEWER, disabled=True), "h")
    store.open_session("a", "anna", NOW, NOW + HOUR)
    assert store.password_hash("anna") is None
    assert store.session("a", NOW) is None
    assert store.password_hash("nobody") is None


def test_customers_are_sorted_and_there_once(store: SqlStore) -> None:
    assert store.add_customer("b")
    assert store.add_customer("a")
    assert not store.add_customer("a")
    assert store.customers() == ("a", "b", "default")
