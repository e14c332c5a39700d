"""The checks of etcd and of the server k3s belongs to, beyond what recordings show."""

from dataclasses import replace

from archipel_agent.checks import datastore_health, etcd, server_reached
from archipel_contract.findings import Verdict
from tests.agent.checks.machines import CLUSTER, GOOD, only, recorded, with_log

AWAY = (
    'time="2026-11-22T17:12:54Z" level=error msg="Failed to validate connection to cluster at {}: '
    'failed to get CA certs: Get \\"https://127.0.0.1:6444/cacerts\\": context deadline exceeded"'
)
NOT_A_MEMBER = recorded("etcd-address-changed")[-1]


def test_a_server_that_does_not_reach_itself_is_told_apart_from_one_that_starts() -> None:
    line = AWAY.format("https://127.0.0.1:6443")
    assert server_reached.look(with_log(*[line] * 4)).verdict is Verdict.OK
    assert only(server_reached.look(with_log(*[line] * 5))).code == "own-server-unreachable"
    assert server_reached.look(with_log(*[line] * 5, ready=True)).verdict is Verdict.OK


def test_another_server_that_is_away_is_named() -> None:
    one = only(server_reached.look(with_log(AWAY.format("https://192.168.4.9:6443"))))
    assert (one.code, one.params["server"]) == ("server-unreachable", "https://192.168.4.9:6443")
    assert one.next_step.endswith("curl -ks https://192.168.4.9:6443/ping")


def test_a_missing_token_is_no_matter_of_the_network() -> None:
    line = AWAY.format("https://192.168.4.9:6443").replace(
        "failed to get CA certs", "token must not be empty"
    )
    assert server_reached.look(with_log(line)).verdict is Verdict.OK


def test_an_address_etcd_mentions_once_is_no_finding_and_one_it_repeats_is() -> None:
    assert etcd.look(with_log(NOT_A_MEMBER)).verdict is Verdict.OK
    assert only(etcd.look(with_log(NOT_A_MEMBER, NOT_A_MEMBER))).code == "etcd-address-changed"


def test_what_etcd_said_before_the_node_became_ready_is_over_but_a_full_database_is_not() -> None:
    for name in ("etcd-damaged-wal", "etcd-damaged-short", "etcd-address-changed"):
        lines = recorded(name)
        assert etcd.look(replace(GOOD, k3s_log=lines, cluster=CLUSTER)).verdict is Verdict.OK
    full = replace(GOOD, k3s_log=recorded("etcd-full"), cluster=CLUSTER)
    assert only(etcd.look(full)).code == "etcd-full"


def test_a_token_that_does_not_open_etcd_is_not_called_damage() -> None:
    wrong = with_log(*recorded("cluster-token-wrong-etcd"))
    assert etcd.look(wrong).verdict is Verdict.OK
    assert datastore_health.look(wrong).verdict is Verdict.OK


def test_the_reason_of_a_left_reset_is_k3s_own() -> None:
    one = only(etcd.look(with_log(*recorded("etcd-reset-left-snapshot"))))
    assert one.params["reason"] == "snapshot path does not exist: /root/no-such-snapshot"
