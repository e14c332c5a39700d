"""What is taken in: once, in one transaction, acknowledged as it is; and what a node's words make of its rows."""

from dataclasses import replace

import pytest

from archipel_contract.facts import ClockQuality
from archipel_contract.findings import Finding, Severity
from archipel_contract.link.delta import state_hash
from archipel_contract.link.epochs import Lane
from archipel_contract.link.messages import DeltaState, EpochAck, EventKind, Metrics, Wanted
from archipel_contract.site import Role
from archipel_contract.status import ClusterNode, Health, K3sStatus, Pod
from archipel_fleet.domain.sequences import LIMIT
from archipel_fleet.records import EVERYTHING, ContactState, SiteQuery
from archipel_fleet.storage import SqlStore
from tests.fleet.storage.conftest import Ground
from tests.fleet.storage.speech import HOUR, MINUTE, NOW, Speaker, births, site_id


def test_the_first_words_of_a_node_make_its_site_and_are_welcomed(store: SqlStore) -> None:
    pi = Speaker()
    taken = store.take(pi.birth())
    welcome = taken.welcomes[pi.node_id]
    assert (welcome.incarnation, welcome.connection, welcome.state_hash) == (store.incarnation, 1, "")
    assert taken.changed_sites == {pi.site}
    detail = store.site(EVERYTHING, "Harbour", NOW)
    assert detail is not None
    assert (detail.site.site_id, detail.site.customer, detail.site.nodes) == (pi.site, "default", 1)
    assert detail.site.contact.state is ContactState.CONNECTED
    assert detail.site.health.health is Health.HEALTHY
    assert detail.nodes[0].name == "pi-1"


def test_a_message_that_comes_again_has_no_second_effect_but_is_acknowledged_again(store: SqlStore) -> None:
    pi = Speaker()
    first = [*pi.birth(), pi.event(text="a"), pi.samples(NOW - HOUR, 10.0, 20.0)]
    once = store.take(first)
    again = store.take(first)
    assert again.acks == once.acks
    assert (once.duplicates, again.duplicates) == (0, 3)
    assert [one.text for one in store.events(EVERYTHING, pi.site)] == ["a"]
    series = store.metrics(EVERYTHING, pi.node_id, 0, NOW)
    assert series is not None
    assert series.values["cpu_percent"] == (10.0, 20.0)


def test_samples_and_hellos_that_name_the_state_held_renew_the_age_of_its_word(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    held = state_hash(pi.state)

    def heard() -> int | None:
        detail = store.site(EVERYTHING, pi.site, NOW + HOUR)
        assert detail is not None
        return detail.site.health.heard

    point = ((0.0, 1.0, None, None, None, None),)
    for later, body in (
        (MINUTE, Metrics(start=NOW, points=point, state="0" * 16)),
        (2 * MINUTE, Metrics(start=NOW, points=point)),
    ):
        store.take([pi.next(body, Lane.METRIC, received=NOW + later)])
        assert heard() == NOW, "another state, or none, says nothing about the one we hold"
    store.take(
        [pi.next(Metrics(start=NOW, points=point, state=held), Lane.METRIC, received=NOW + 3 * MINUTE)]
    )
    assert heard() == NOW + 3 * MINUTE
    pi.now = NOW + 4 * MINUTE
    store.take([pi.hello(state_hash=held)])
    assert heard() == NOW + 4 * MINUTE


def test_a_message_that_comes_twice_in_one_batch_counts_once(store: SqlStore) -> None:
    pi = Speaker()
    event = pi.event(text="a")
    taken = store.take([*pi.birth(), event, event])
    assert taken.duplicates == 1
    assert len(store.events(EVERYTHING, pi.site)) == 1


def test_what_was_taken_is_known_to_a_controller_that_starts_anew(ground: Ground, store: SqlStore) -> None:
    pi = Speaker()
    said = [*pi.birth(), pi.event(text="a")]
    store.take(said)
    store.close()
    later = ground.open()
    assert later.incarnation == store.incarnation
    assert later.take(said).duplicates == 2
    assert later.take([pi.hello()]).welcomes[pi.node_id].state_hash == state_hash(pi.state)


def test_messages_out_of_order_are_acknowledged_as_ranges_until_the_hole_closes(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    events = [pi.event(text=str(number)) for number in range(1, 6)]
    epoch = pi.epoch(Lane.EVENT)
    taken = store.take([events[4], events[0], events[2]])
    assert taken.acks[pi.node_id] == (EpochAck(epoch=epoch, upto=1, also=((3, 3), (5, 5))),)
    taken = store.take([events[3], events[1]])
    assert taken.acks[pi.node_id] == (EpochAck(epoch=epoch, upto=5),)
    assert len(store.events(EVERYTHING, pi.site)) == 5


def test_what_a_message_replaces_counts_as_done(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    lost = pi.changed(generation=3)
    newer = replace(full := pi.full(generation=4), envelope=replace(full.envelope, replaces=(2,)))
    taken = store.take([newer])
    assert taken.acks[pi.node_id] == (EpochAck(epoch=pi.epoch(Lane.STATE), upto=3),)
    late = store.take([lost])
    assert late.duplicates == 1
    assert late.asks == {}


def test_more_holes_than_can_be_remembered_are_not_acknowledged_until_some_are_closed(
    store: SqlStore,
) -> None:
    pi = Speaker()
    store.take(pi.birth())
    events = [pi.event(text=str(number)) for number in range(2 * LIMIT + 10)]
    taken = store.take(events[1::2])
    (ack,) = taken.acks[pi.node_id]
    assert ack.upto == 0
    assert len(ack.also) == LIMIT
    store.take(events[0::2])
    taken = store.take(events[1::2])
    assert taken.acks[pi.node_id] == (EpochAck(epoch=pi.epoch(Lane.EVENT), upto=len(events)),)
    assert len(store.events(EVERYTHING, pi.site, limit=1000)) == len(events)


def test_a_message_without_a_sequence_that_needs_one_is_passed_over(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    event = pi.event(text="a")
    taken = store.take([replace(event, envelope=replace(event.envelope, sequence=0))])
    assert taken.acks == {}
    assert store.events(EVERYTHING, pi.site) == ()


# --- states ----------------------------------------------------------------------------------------------------------


def test_a_delta_on_the_held_state_is_applied_and_its_result_is_the_next_base(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    assert store.take([pi.changed(health=Health.UNHEALTHY), pi.changed(generation=7)]).asks == {}
    assert store.take([pi.hello()]).welcomes[pi.node_id].state_hash == state_hash(pi.state)
    assert store.nodes(EVERYTHING, NOW).rows[0].health.health is Health.UNHEALTHY


def test_a_delta_on_something_else_is_not_acknowledged_and_the_whole_is_asked_for(store: SqlStore) -> None:
    pi = Speaker()
    store.take([pi.presence(), pi.hello()])
    pi.full()  # never arrives
    taken = store.take([pi.changed(health=Health.UNHEALTHY)])
    assert taken.asks[pi.node_id].wanted is Wanted.FULL
    assert taken.acks == {}
    taken = store.take([pi.full()])
    assert taken.asks == {}
    assert taken.acks[pi.node_id][0].also == ((3, 3),)


def test_a_delta_whose_result_has_another_hash_changes_nothing(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    held = dict(pi.state)
    wrong = pi.next(
        DeltaState(base=state_hash(held), patch={"health": "unhealthy"}, hash="0" * 16), Lane.STATE
    )
    assert store.take([wrong]).asks[pi.node_id].wanted is Wanted.FULL
    assert store.nodes(EVERYTHING, NOW).rows[0].health.health is Health.HEALTHY
    assert store.take([pi.hello()]).welcomes[pi.node_id].state_hash == state_hash(held)


@pytest.mark.parametrize(
    "patch", [{"pods": {"a": {"b": [1, None]}}}, {"health": 5}, {"facts": "none"}, {"findings": [1]}]
)
def test_a_state_of_a_strange_shape_is_kept_as_it_is_and_read_as_far_as_it_goes(
    store: SqlStore, patch: dict[str, object]
) -> None:
    pi = Speaker()
    store.take(pi.birth())
    after = {**pi.state, **patch}
    taken = store.take(
        [pi.next(DeltaState(base=state_hash(pi.state), patch=patch, hash=state_hash(after)), Lane.STATE)]
    )
    assert taken.asks == {}
    detail = store.site(EVERYTHING, pi.site, NOW)
    assert detail is not None
    assert detail.nodes[0].name == "pi-1"


def test_an_older_state_that_arrives_late_does_not_undo_a_newer_one(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    old = pi.full(health=Health.UNHEALTHY)
    new = pi.full(health=Health.HEALTHY)
    store.take([new, old])
    assert store.nodes(EVERYTHING, NOW).rows[0].health.health is Health.HEALTHY
    before = pi.full(health=Health.STOPPED)
    later = pi.restarted()
    store.take([*later.birth(), before])
    assert store.nodes(EVERYTHING, NOW).rows[0].health.health is Health.HEALTHY


def test_a_site_is_summed_up_from_its_nodes(store: SqlStore) -> None:
    finding = Finding(code="disk-slow", severity=Severity.PROBLEM)
    server = Speaker(1, name="s1")
    worker = Speaker(2, name="w1", role=Role.AGENT)
    pods = {f"a/{name}": Pod(namespace="a", name=name, phase="Running", ready=name != "c") for name in "abc"}
    store.take([
        server.hello(), worker.hello(),
        server.full(
            cluster_reachable=True, pods=pods, k3s=K3sStatus(version="v1.34"),
            nodes={name: ClusterNode(name=name, role=Role.SERVER, ready=name == "s1") for name in ("s1", "w1")},
        ),
        worker.full(health=Health.UNHEALTHY, findings={"disk-slow": finding}, k3s=K3sStatus(version="v1.33")),
    ])  # fmt: skip
    (site,) = store.sites(EVERYTHING, SiteQuery(), NOW).rows
    assert (site.nodes, site.nodes_connected, site.nodes_ready, site.pods, site.pods_ready) == (2, 2, 1, 3, 2)
    assert (site.health.health, site.problems, site.worst) == (Health.UNHEALTHY, 1, "disk-slow")
    assert site.k3s_versions == ("v1.33", "v1.34")
    detail = store.site(EVERYTHING, site.site_id, NOW)
    assert detail is not None
    assert [one.finding.code for one in detail.findings] == ["disk-slow"]
    assert [one.name for one in detail.pods] == ["a", "b", "c"]


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_a_declared_gap_counts_as_done_less_what_arrived(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    events = [pi.event(text=str(number)) for number in range(1, 7)]
    store.take([events[0], events[3]])
    taken = store.take([pi.gap(pi.epoch(Lane.EVENT), 1, 5), events[5]])
    by_epoch = {one.epoch: one for one in taken.acks[pi.node_id]}
    assert by_epoch[pi.epoch(Lane.EVENT)] == EpochAck(epoch=pi.epoch(Lane.EVENT), upto=6)
    detail = store.site(EVERYTHING, pi.site, NOW)
    assert detail is not None
    assert [(one.first, one.last, one.count) for one in detail.gaps] == [(2, 3, 2), (5, 5, 1)]


def test_what_arrives_after_it_was_declared_lost_is_kept_and_taken_out_of_the_gap(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    events = [pi.event(text=str(number)) for number in range(1, 6)]
    store.take([pi.gap(pi.epoch(Lane.EVENT), 1, 5)])
    taken = store.take([events[2]])
    assert taken.duplicates == 0
    assert store.take([events[2]]).duplicates == 1
    detail = store.site(EVERYTHING, pi.site, NOW)
    assert detail is not None
    assert [(one.first, one.last) for one in detail.gaps] == [(1, 2), (4, 5)]
    assert [one.text for one in store.events(EVERYTHING, pi.site)] == ["3"]


def test_a_gap_without_an_end_covers_the_rest_of_its_epoch(store: SqlStore) -> None:
    pi = Speaker()
    store.take([*pi.birth(), pi.event(text="1")])
    old = pi.epoch(Lane.EVENT)
    late = pi.event(text="2")
    pi = pi.restarted()
    taken = store.take([*pi.birth(), pi.gap(old, 2, 0, count=4)])
    assert {one.epoch: one.upto for one in taken.acks[pi.node_id]}[old] == 1
    detail = store.site(EVERYTHING, pi.site, NOW)
    assert detail is not None
    assert [(one.first, one.last, one.count) for one in detail.gaps] == [(2, 0, 4)]
    store.take([late])
    assert [one.text for one in store.events(EVERYTHING, pi.site)] == ["2", "1"]


def test_holes_that_nobody_declared_are_shown_after_a_while(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    pi.event(text="lost")
    store.take([pi.event(text="2")])
    codes = [one.finding.code for one in _findings(store, pi, NOW + MINUTE)]
    assert codes == []
    (found,) = _findings(store, pi, NOW + 16 * MINUTE)
    assert (found.finding.code, found.finding.params["count"]) == ("fleet-sequence-missing", "1")
    assert found.by_controller
    store.take([pi.gap(pi.epoch(Lane.EVENT), 1, 1)])
    assert _findings(store, pi, NOW + 32 * MINUTE) == ()


def _findings(store: SqlStore, pi: Speaker, now: int):  # type: ignore[no-untyped-def]  # a tuple of FindingRow
    detail = store.site(EVERYTHING, pi.site, now)
    assert detail is not None
    return detail.findings


# --- who speaks ------------------------------------------------------------------------------------------------------


def test_a_node_without_a_site_is_a_site_of_its_own_until_it_has_one(store: SqlStore) -> None:
    alone = Speaker(site="", site_name="")
    store.take([*alone.birth(), alone.event(text="before")])
    (row,) = store.sites(EVERYTHING, SiteQuery(), NOW).rows
    assert (row.site_id, row.name) == (alone.node_id, "pi-1")
    joined = replace(alone.restarted(), site=site_id(4), site_name="Mill")
    taken = store.take(joined.birth())
    assert taken.changed_sites >= {alone.node_id, site_id(4)}
    (row,) = store.sites(EVERYTHING, SiteQuery(), NOW).rows
    assert (row.site_id, row.name, row.nodes) == (site_id(4), "Mill", 1)
    assert [one.text for one in store.events(EVERYTHING, site_id(4))] == ["before"]


def test_a_node_that_goes_to_another_site_leaves_its_history_there(store: SqlStore) -> None:
    first, second = Speaker(1), Speaker(2, name="pi-2")
    store.take([*births([first, second]), first.event(text="then")])
    moved = replace(first.restarted(), site=site_id(2), site_name="Mill")
    store.take([*moved.birth(), moved.event(text="now")])
    by_name = {one.name: one for one in store.sites(EVERYTHING, SiteQuery(), NOW).rows}
    assert (by_name["Harbour"].nodes, by_name["Mill"].nodes) == (1, 1)
    assert [one.text for one in store.events(EVERYTHING, site_id(1))] == ["then"]
    assert [one.text for one in store.events(EVERYTHING, site_id(2))] == ["now"]


@pytest.mark.parametrize("copied", [{"fingerprint": "f2"}, {"counter": 3, "noise": 9}, {"noise": 9}])
def test_two_machines_with_one_node_id_are_noticed_with_both_names(
    store: SqlStore, copied: dict[str, object]
) -> None:
    pi = Speaker(counter=5)
    store.take(pi.birth())
    copy = replace(pi, name="pi-copy", sequences={}, **copied)  # type: ignore[arg-type]  # fields of Speaker
    store.take([copy.hello()])
    (found,) = _findings(store, pi, NOW)
    assert found.finding.code == "fleet-node-id-twice"
    assert {found.finding.params["first"], found.finding.params["second"]} == {"host-pi-1", "host-pi-copy"}
    assert _findings(store, pi, NOW + 25 * HOUR) == ()


def test_a_restart_of_the_same_machine_is_no_second_one(store: SqlStore) -> None:
    pi = Speaker()
    store.take(pi.birth())
    store.take(pi.restarted().birth())
    store.take([pi.restarted().hello()])
    assert _findings(store, pi, NOW) == ()


def test_the_epochs_of_two_copies_are_kept_apart(store: SqlStore) -> None:
    pi = Speaker()
    copy = replace(pi, noise=8, sequences={}, fingerprint="f2")
    store.take([*pi.birth(), pi.event(text="a"), copy.hello(), copy.event(text="b")])
    assert {one.text for one in store.events(EVERYTHING, pi.site)} == {"a", "b"}


def test_a_clock_that_is_off_is_a_finding_and_the_message_is_taken(store: SqlStore) -> None:
    pi = Speaker(clock=ClockQuality.WRONG, clock_error=-40 * 365 * 24 * HOUR)
    store.take([*pi.birth(), pi.event(kind=EventKind.AGENT_STARTED)])
    (found,) = _findings(store, pi, NOW)
    assert found.finding.code == "fleet-clock-off"
    assert len(store.events(EVERYTHING, pi.site)) == 1
