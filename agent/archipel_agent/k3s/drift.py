"""Where an adopted k3s differs from one that `archipel up` sets up. Pure; shown by `adopt --plan` and by the doctor.

Held against the very values of `config.config_values`, so that a setting added there is compared from then on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archipel_agent.k3s.config import KERNEL_SETTINGS, OF_THE_SITE, config_values
from archipel_agent.k3s.existing import Arguments, disabled
from archipel_agent.paths import Paths, policies_file
from archipel_contract.adoption import Difference, Later
from archipel_contract.site import COMPONENTS, DEFAULT_COMPONENTS, Network, SiteDocument

# What follows from a setting that is not as Archipel would have it; others are said in general.
MEANS: Mapping[str, str] = {
    "node-name": "k3s takes the hostname: with another hostname this machine becomes another node",
    "node-ip": "k3s takes the address of the default route: with another route the node has another address",
    "advertise-address": "k3s advertises whatever address it finds",
    "flannel-iface": "pods of several nodes talk over whatever interface has the default route",
    "cluster-cidr": "pods have these addresses for the life of the cluster",
    "service-cidr": "services have these addresses for the life of the cluster",
    "cluster-dns": "follows the network of the services",
    "disable": "these parts of k3s run here; traefik and servicelb listen on ports 80 and 443 of the machine",
    "secrets-encryption": "Secrets lie readable in the datastore, and in every copy of the disk",
    "protect-kernel-defaults": "kubelet starts also on a kernel that is not set up for it",
    "agent-token-file": "whoever may join an agent may join as a server too, and read everything",
    "write-kubeconfig-mode": "who may read the file is the cluster's administrator",
    "kube-apiserver-arg: admission-control-config-file": "pods may do to this machine whatever they ask for; with it, "
    "those beyond the profile `baseline` are refused when they are made anew, outside of kube-system",
    "datastore-endpoint": "the cluster's data is not on this machine; looking after it is not Archipel's",
}
HARDENS = "part of the hardening that Archipel sets up"
THEIRS = "a setting of this k3s that Archipel does not know; it stays as it is"
FOR_LIFE = frozenset(("cluster-cidr", "service-cidr", "cluster-dns", "datastore-endpoint"))
OF_OUR_FILES = frozenset(("config", "token", "data-dir", "cluster-init"))
MASKED = frozenset(("token", "agent-token", "datastore-endpoint", "etcd-s3-access-key", "etcd-s3-secret-key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What else is compared: the kernel's settings, and files by their place with their text (None: not there)."""

    kernel: Mapping[str, str | None]
    unit: str | None
    wanted_unit: str
    has_accounts: bool
    has_policies: bool
    has_kubelet_file: bool


def differences(site: SiteDocument, given: Arguments, ground: Ground, paths: Paths) -> tuple[Difference, ...]:
    """Return every difference, those that stay for life first."""
    found = [*_settings(site, given, paths), *_theirs(given, site, paths), *_files(ground, paths)]
    found += _kernel(ground)
    order = (Later.NEVER, Later.RESTART, Later.NOW, Later.UNKNOWN)
    return tuple(sorted(found, key=lambda one: order.index(one.later)))


def line(one: Difference) -> str:
    """Return a difference as one line of evidence."""
    when = {
        Later.NEVER: "fixed for life",
        Later.RESTART: "needs a restart of k3s",
        Later.NOW: "can be changed now",
    }
    present, wanted = one.present or "not set", one.wanted or "does not set it"
    return f"{one.name}: {present}; Archipel: {wanted} ({when.get(one.later, 'not known')}): {one.means}"


def _settings(site: SiteDocument, given: Arguments, paths: Paths) -> Iterator[Difference]:
    for key, value in config_values(site, site.nodes[0].node_id, "", paths).items():
        if key == "token" or (key == "agent-token-file" and _has_agent_token(given)):
            continue
        if key == "disable":
            yield from _components(given)
        elif isinstance(value, list):
            yield from _arguments(key, value, given.get(key, ()))
        elif key in OF_THE_SITE:
            yield from _of_the_site(key, str(value), given)
        elif _plain(given.get(key, ("",))[-1]) != _plain(str(value)):
            yield Difference(
                name=key,
                present=given.get(key, ("",))[-1],
                wanted=str(value).lower() if isinstance(value, bool) else str(value),
                means=MEANS.get(key, HARDENS),
                later=Later.RESTART,
            )


def _has_agent_token(given: Arguments) -> bool:
    return any(any(given.get(key, ())) for key in ("agent-token", "agent-token-file"))


def _of_the_site(key: str, value: str, given: Arguments) -> Iterator[Difference]:
    """What the document says is what is; the difference is whether k3s was told so, or found it out by itself."""
    said = given.get(key, ("",))[-1]
    if key in FOR_LIFE:
        if key != "cluster-dns" and said and said != _default(key):
            yield Difference(
                name=key, present=said, wanted=_default(key), means=MEANS[key], later=Later.NEVER
            )
    elif said != value:
        yield Difference(name=key, present=said, wanted=value, means=MEANS[key], later=Later.RESTART)


def _default(key: str) -> str:
    plain = Network(node_ip="", interface="")
    return plain.cluster_cidr if key == "cluster-cidr" else plain.service_cidr


def _components(given: Arguments) -> Iterator[Difference]:
    more = sorted(set(COMPONENTS) - disabled(given) - set(DEFAULT_COMPONENTS))
    if more:
        yield Difference(
            name="disable",
            present=f"{', '.join(more)} run",
            wanted=", ".join(more),
            means=MEANS["disable"],
            later=Later.RESTART,
        )


def _arguments(key: str, wanted: list[str], said: tuple[str, ...]) -> Iterator[Difference]:
    present = {one.partition("=")[0]: one.partition("=")[2] or "true" for one in said}
    for item in wanted:
        name, _, value = item.partition("=")
        if present.get(name) != value:
            yield Difference(
                name=f"{key}: {name}",
                present=present.get(name, ""),
                wanted=value,
                means=MEANS.get(f"{key}: {name}", HARDENS),
                later=Later.RESTART,
            )
    for name in sorted(present.keys() - {item.partition("=")[0] for item in wanted}):
        yield Difference(
            name=f"{key}: {name}", present=present[name], wanted="", means=THEIRS, later=Later.RESTART
        )


def _theirs(given: Arguments, site: SiteDocument, paths: Paths) -> Iterator[Difference]:
    ours = config_values(site, site.nodes[0].node_id, "", paths)
    for key, values in given.items():
        if key in OF_OUR_FILES or (key in ours and key != "token"):
            continue
        yield Difference(
            name=key,
            present="(not shown)" if key in MASKED else ", ".join(values),
            wanted="",
            means=MEANS.get(key, THEIRS),
            later=Later.NEVER if key in FOR_LIFE else Later.RESTART,
        )


def _files(ground: Ground, paths: Paths) -> Iterator[Difference]:
    if ground.unit is None:
        yield Difference(
            name=str(paths.k3s_unit),
            present="",
            wanted="a unit of systemd",
            means="k3s was started by hand: nobody starts it at boot, or when it ends",
            later=Later.RESTART,
        )
    elif ground.unit != ground.wanted_unit:
        yield Difference(
            name=str(paths.k3s_unit),
            present="the unit of another installer",
            wanted="Archipel's unit",
            means="flags and environment files of this unit count beside config.yaml",
            later=Later.RESTART,
        )
    if not ground.has_kubelet_file:
        yield Difference(
            name=str(paths.k3s_data / "agent/etc/kubelet.conf.d/50-archipel.conf"),
            present="",
            wanted="a file",
            means="pods are not ended in order when the machine shuts down",
            later=Later.RESTART,
        )
    if not ground.has_accounts:
        yield Difference(
            name=str(paths.k3s_data / "server/manifests/archipel-accounts.yaml"),
            present="",
            wanted="a file",
            means="pods that ask for no identity get that of their namespace",
            later=Later.NOW,
        )
    if not ground.has_policies:
        yield Difference(
            name=str(policies_file(paths)),
            present="",
            wanted="a file",
            means="every pod reaches every port of the pods in kube-system",
            later=Later.NOW,
        )


def _kernel(ground: Ground) -> Iterator[Difference]:
    for name, wanted in KERNEL_SETTINGS.items():
        present = ground.kernel.get(name)
        if present is not None and present != wanted:
            yield Difference(
                name=name,
                present=present,
                wanted=wanted,
                means="kubelet sets it itself unless protect-kernel-defaults is on",
                later=Later.NOW,
            )


def _plain(value: str) -> str:
    """Return a value without what makes no difference: letters' case, and the zero an octal mode may begin with."""
    lowered = value.strip().lower()
    return lowered.lstrip("0") if lowered.isdigit() else lowered
