"""What of an adopted k3s' settings goes along when its site is restored where Archipel sets k3s up."""

import pytest

from archipel_agent.k3s.carrying import addition, before_and_after, carrying
from archipel_agent.k3s.config import cluster_dns
from archipel_agent.k3s.existing import flat_yaml
from tests.agent.k3s.test_adopting import PATHS, SITE, ours


def test_a_k3s_set_like_ours_carries_nothing_and_loses_nothing() -> None:
    found = carrying(SITE, ours(), PATHS)
    assert (dict(found.along), found.becomes, found.lost) == ({}, (), ())
    assert addition(found) == b""


def test_what_describes_the_cluster_goes_along_beside_our_settings() -> None:
    given = {
        **ours(),
        "tls-san": ("a.example", "b.example"),
        "cluster-domain": ("plant.local",),
        "disable-network-policy": ("true",),
        "kubelet-arg": (*ours()["kubelet-arg"], "max-pods=30"),
        "kube-proxy-arg": ("proxy-mode=nftables",),
        "cluster-dns": ("10.43.0.53",),
    }
    found = carrying(SITE, given, PATHS)
    assert found.lost == ()
    assert flat_yaml(addition(found).decode()) == {
        "tls-san": ("a.example", "b.example"),
        "cluster-domain": ("plant.local",),
        "disable-network-policy": ("true",),
        "kubelet-arg": ("max-pods=30",),
        "kube-proxy-arg": ("proxy-mode=nftables",),
        "cluster-dns": ("10.43.0.53",),
    }
    assert b"kubelet-arg+:" in addition(found)  # added to ours, not in their place


def test_where_archipel_sets_the_same_thing_its_value_holds_and_is_named() -> None:
    kubelet = [one for one in ours()["kubelet-arg"] if not one.startswith("pod-max-pids")]
    given = {**ours(), "write-kubeconfig-mode": ("0644",), "kubelet-arg": (*kubelet, "pod-max-pids=-1")}
    found = carrying(SITE, given, PATHS)
    assert not found.along and not found.lost
    assert {one.name for one in found.becomes} == {"write-kubeconfig-mode", "kubelet-arg: pod-max-pids"}
    assert any("was -1, becomes 4096" in before_and_after(one) for one in found.becomes)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"node-external-ip": ("198.51.100.7",)}, "old machine"),
        ({"invented-last-week": ("yes",)}, "does not know it"),
        ({"datastore-endpoint": ("(not shown)",)}, "secret"),
        ({"kube-proxy-arg": ("config=/opt/proxy.yaml",)}, "file of the old machine"),
    ],
)
def test_what_can_neither_go_along_nor_be_replaced_is_lost_with_the_reason(
    setting: dict[str, tuple[str, ...]], why: str
) -> None:
    found = carrying(SITE, {**ours(), **setting}, PATHS)
    assert [one.name for one in found.lost] == list(setting)
    assert why in found.lost[0].means
    assert not found.along


def test_one_value_of_several_may_be_lost_alone() -> None:
    given = {**ours(), "kubelet-arg": (*ours()["kubelet-arg"], "max-pods=30", "config=/opt/kubelet.yaml")}
    found = carrying(SITE, given, PATHS)
    assert [(one.name, one.present) for one in found.lost] == [("kubelet-arg: config", "/opt/kubelet.yaml")]
    assert found.along == {"kubelet-arg+": ("max-pods=30",)}


def test_a_cluster_of_both_families_has_its_dns_in_the_first_network() -> None:
    assert cluster_dns("10.43.0.0/16,2001:db8:43::/112") == "10.43.0.10"
