"""What of an adopted k3s' settings goes along to a new machine, on which Archipel sets k3s up. Pure; used by restores.

Networks, components and token stand in the site's record. Of the rest goes along what says something of the cluster and
needs nothing of the old machine, as an addition in config.yaml.d; where Archipel sets the same thing, its value holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from archipel_agent.k3s.config import OF_THE_SITE, cluster_dns, yaml_text
from archipel_agent.k3s.drift import MASKED, Ground, differences
from archipel_agent.k3s.existing import Arguments
from archipel_agent.paths import Paths
from archipel_contract.adoption import Difference
from archipel_contract.site import SiteDocument

ADDITION = "config.yaml.d/40-adopted.yaml"  # below the directory of k3s' settings
# Settings of k3s server (its flags by name) that describe the cluster rather than the machine it runs on.
OF_THE_CLUSTER = frozenset(
    (
        "cluster-domain",
        "cluster-init",
        "default-runtime",
        "disable-cloud-controller",
        "disable-helm-controller",
        "disable-kube-proxy",
        "disable-network-policy",
        "egress-selector-mode",
        "embedded-registry",
        "etcd-disable-snapshots",
        "etcd-expose-metrics",
        "etcd-snapshot-retention",
        "etcd-snapshot-schedule-cron",
        "flannel-backend",
        "flannel-ipv6-masq",
        "helm-job-image",
        "pause-image",
        "secrets-encryption-provider",
        "service-node-port-range",
        "servicelb-namespace",
        "supervisor-metrics",
        "system-default-registry",
        "tls-san-security",
    )
)
SEVERAL = frozenset(
    (
        "etcd-arg",
        "kube-apiserver-arg",
        "kube-cloud-controller-manager-arg",
        "kube-controller-manager-arg",
        "kube-proxy-arg",
        "kube-scheduler-arg",
        "kubelet-arg",
        "node-label",
        "node-taint",
        "tls-san",
    )
)
# How k3s talks, not what it does: neither needed nor missed.
OF_NO_MATTER = frozenset(
    ("alsologtostderr", "debug", "log", "v", "vmodule", "enable-pprof", "write-kubeconfig")
)
HIDDEN = "********"  # what k3s puts in place of a secret it tells of
_SETTINGS_PLACE = "/etc/rancher/"  # lies in the backup


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrying:
    """What goes along, what becomes Archipel's, and what can do neither."""

    along: Mapping[str, tuple[str, ...]]  # by the keys of an addition to config.yaml
    becomes: tuple[Difference, ...]
    lost: tuple[Difference, ...]


def carrying(site: SiteDocument, given: Arguments, paths: Paths) -> Carrying:
    """Return what becomes of the settings `given` when `site` is set up by Archipel."""
    ground = Ground(
        kernel={}, unit="", wanted_unit="", has_accounts=True, has_policies=True, has_kubelet_file=True
    )
    along = dict(_of_the_site(site, given))
    becomes: list[Difference] = []
    lost: list[Difference] = []
    for one in differences(site, given, ground, paths):
        key, _, name = one.name.partition(": ")
        if one.wanted:
            becomes += [one] if key not in OF_THE_SITE else []
            continue
        if key in OF_NO_MATTER | {"agent-token"}:  # that one lies in the backup beside the servers' own
            continue
        for value in _values(key, name, given):
            why = _why_not(key, value)
            if why:
                shown = one.present if key in MASKED or HIDDEN in value else value.rpartition(f"{name}=")[2]
                lost.append(replace(one, present=shown, means=why))
                continue
            along[f"{key}+" if key in SEVERAL else key] = (
                (*along.get(f"{key}+", ()), value) if key in SEVERAL else (value,)
            )
    return Carrying(along=along, becomes=tuple(becomes), lost=tuple(lost))


def addition(carried: Carrying) -> bytes:
    """Return the file that carries settings over; empty where there are none."""
    if not carried.along:
        return b""
    values: dict[str, object] = {
        key: list(value) if key.endswith("+") else value[-1] for key, value in carried.along.items()
    }
    head = "# Settings of the k3s that was adopted, carried over when its site was restored. This file is yours.\n"
    return (head + yaml_text(values)).encode()


def before_and_after(one: Difference) -> str:
    """Return a difference as one line: what it was, and what it becomes."""
    return f"{one.name}: was {one.present or 'not set'}, becomes {one.wanted or 'not set'}: {one.means}"


def _of_the_site(site: SiteDocument, given: Arguments) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what Archipel derives from the site and this k3s was told otherwise, or what is no difference to drift."""
    said = given.get("cluster-dns", ())
    if said and said[-1] != cluster_dns(site.network.service_cidr):
        yield "cluster-dns", said[-1:]
    if "cluster-init" in given:
        yield "cluster-init", given["cluster-init"][-1:]


def _values(key: str, name: str, given: Arguments) -> tuple[str, ...]:
    """Return the raw values behind a difference: one argument of a part of k3s, every value of a list, or the last one."""
    said = given.get(key, ())
    if name:
        return tuple(one for one in said if one.partition("=")[0] == name)
    return said if key in SEVERAL else said[-1:]


def _why_not(key: str, value: str) -> str:
    if key in MASKED or HIDDEN in value:
        return "it is a secret that k3s tells nobody"
    if key not in OF_THE_CLUSTER | SEVERAL:
        return "it depends on the old machine, or Archipel does not know it"
    path = value.rpartition("=")[2]
    if path.startswith("/") and not path.startswith(_SETTINGS_PLACE):
        return "it names a file of the old machine that is not in the backup"
    return ""
