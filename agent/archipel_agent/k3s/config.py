"""The files Archipel writes for k3s, as a pure function of the site document and the token.

Everything that cannot be changed once a cluster exists is explicit here. What a site adds of its own goes into
`config.yaml.d/` beside config.yaml (k3s reads it after ours), into containerd's `config-v3.toml.d/` and into
registries.yaml; none of these is ever written by us.
"""

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path

from archipel_agent.k3s.policies import manifest
from archipel_agent.paths import Paths, agent_token_file, policies_file
from archipel_contract.site import COMPONENTS, Hardening, SiteDocument

# Kubelet refuses to start with protect-kernel-defaults unless these hold (kubernetes pkg/kubelet/cm,
# setupKernelTunables); the k3s hardening guide names the first four.
KERNEL_SETTINGS: Mapping[str, str] = {
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.keys.root_maxbytes": "25000000",
}

# The six suites of the k3s hardening guide; CHACHA20 matters on boards whose CPU has no AES instructions.
CIPHERS = ",".join(
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    )
)

# Kubelet's own threshold for memory, k3s' own for disks; inodes run out like bytes do.
EVICTION = "memory.available<100Mi,imagefs.available<5%,nodefs.available<5%,nodefs.inodesFree<5%"

# What kubelet takes from a file only: k3s has it read every one in that directory, and keeps its own beside.
# Without logind nobody tells kubelet that power goes; it then says so in its log and does without (tried on k3s 1.36.3).
SHUTDOWN_GRACE_SECONDS = 60
CRITICAL_SECONDS = 15  # of them, for the pods a node cannot do without
KUBELET = f"""\
# Written by Archipel: pods end in order when the machine shuts down, and what they print stays small.
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
shutdownGracePeriod: {SHUTDOWN_GRACE_SECONDS}s
shutdownGracePeriodCriticalPods: {CRITICAL_SECONDS}s
containerLogMaxSize: 5Mi
containerLogMaxFiles: 3
"""

PRIVATE, PUBLIC = 0o600, 0o644

# What depends on the site rather than on hardening.
OF_THE_SITE = frozenset(
    (
        "node-name",
        "node-ip",
        "advertise-address",
        "flannel-iface",
        "cluster-cidr",
        "service-cidr",
        "cluster-dns",
        "token",
        "disable",
    )
)
# Pods that ask for no identity get none (k3s hardening guide, CIS 5.1.5); k3s applies what lies among its manifests.
WITHOUT_IDENTITY = ("default", "kube-node-lease", "kube-public")

# Admission from the first start: namespaces created later inherit it, pods that run already are never re-examined.
# Enforcing `baseline` and warning for `restricted` is what SCS asks (scs-0217) without breaking common charts; the guide's
# own sample enforces `restricted`, which a site may wish for.
ENFORCED: Mapping[Hardening, str] = {Hardening.STANDARD: "baseline", Hardening.STRICT: "restricted"}
ADMISSION = """\
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: PodSecurity
    configuration:
      apiVersion: pod-security.admission.config.k8s.io/v1
      kind: PodSecurityConfiguration
      defaults:
        enforce: "$ENFORCED"
        enforce-version: "latest"
        audit: "restricted"
        audit-version: "latest"
        warn: "restricted"
        warn-version: "latest"
      exemptions:
        usernames: []
        runtimeClasses: []
        namespaces: [kube-system]
  - name: EventRateLimit
    configuration:
      apiVersion: eventratelimit.admission.k8s.io/v1alpha1
      kind: Configuration
      limits:
        - type: Server
          qps: 5000
          burst: 20000
"""

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:apiserver", "system:kube-scheduler", "system:kube-controller-manager", "system:k3s-controller"]
  - level: None
    verbs: [get, list, watch]
  - level: None
    resources:
      - {group: coordination.k8s.io, resources: [leases]}
      - {group: "", resources: [events, nodes/status, pods/status]}
  - level: Metadata
"""


def accounts_text() -> str:
    """Return the manifest by which the default accounts of `WITHOUT_IDENTITY` give their token to nobody unasked."""
    made = [
        f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: default\n  namespace: {namespace}\n"
        "automountServiceAccountToken: false\n"
        for namespace in WITHOUT_IDENTITY
    ]
    return "# Written by Archipel.\n" + "---\n".join(made)


def admission_text(hardening: Hardening) -> str:
    """Return the rules of admission for pods and events."""
    return ADMISSION.replace("$ENFORCED", ENFORCED[hardening])


def hardened(values: Mapping[str, object]) -> dict[str, str]:
    """Return what of `config_values` hardens, flat: arguments of the parts of k3s by their own names."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if key.endswith("-arg") and isinstance(value, list):
            found |= dict(item.split("=", 1) for item in value)
        elif key not in OF_THE_SITE:
            found[key] = str(value)
    return found


def cluster_dns(service_cidr: str) -> str:
    """Return the address of cluster DNS: the tenth of the service network, as k3s itself would choose; of the
    first one where a cluster speaks both IPv4 and IPv6."""
    return str(ipaddress.ip_network(service_cidr.partition(",")[0])[10])


def config_values(site: SiteDocument, node_id: str, token: str, paths: Paths) -> dict[str, object]:
    """Return the keys of config.yaml for this node of the site."""
    node = next(node for node in site.nodes if node.node_id == node_id)
    logs = paths.k3s_data / "server/logs"
    return {
        "node-name": node.node_name,
        "node-ip": site.network.node_ip,
        "advertise-address": site.network.node_ip,
        "flannel-iface": site.network.interface,
        "cluster-cidr": site.network.cluster_cidr,
        "service-cidr": site.network.service_cidr,
        "cluster-dns": cluster_dns(site.network.service_cidr),
        "token": token,
        "agent-token-file": str(agent_token_file(paths)),
        "write-kubeconfig-mode": "0600",
        "secrets-encryption": True,
        "protect-kernel-defaults": True,
        "disable": [component for component in COMPONENTS if component not in site.components],
        "kube-apiserver-arg": [
            # NodeRestriction is k3s' own default, which giving the list replaces.
            "enable-admission-plugins=NodeRestriction,EventRateLimit",
            f"admission-control-config-file={paths.k3s_settings / 'admission.yaml'}",
            f"audit-policy-file={paths.k3s_settings / 'audit-policy.yaml'}",
            f"audit-log-path={logs / 'audit.log'}",
            "audit-log-maxage=30",
            "audit-log-maxbackup=2",
            "audit-log-maxsize=10",  # megabytes: three files of ten are bearable on an SD card
            "service-account-extend-token-expiration=false",
            "request-timeout=300s",
            "max-requests-inflight=400",
            "max-mutating-requests-inflight=200",
            "min-request-timeout=1800",
            f"tls-cipher-suites={CIPHERS}",
        ],
        "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100"],
        "kubelet-arg": [
            # k3s' own list names disks only and replaces kubelet's, which would also watch over memory.
            f"eviction-hard={EVICTION}",
            "streaming-connection-idle-timeout=5m",
            "pod-max-pids=4096",
            f"tls-cipher-suites={CIPHERS}",
        ],
    }


def k3s_files(
    site: SiteDocument, node_id: str, token: str, paths: Paths, agent_token: str = ""
) -> dict[Path, tuple[bytes, int]]:
    """Return every file to write for k3s with its mode.

    A site that was made by an earlier version has no `agent_token`, and gets none (see `steps.settle`).
    """
    values = config_values(site, node_id, token, paths)
    own: dict[Path, tuple[bytes, int]] = {}
    if agent_token:
        own[agent_token_file(paths)] = (f"{agent_token}\n".encode(), PRIVATE)
    else:
        del values["agent-token-file"]
    head = (
        f"# Written by Archipel for site {site.site_id}, generation {site.generation}; the next `archipel up` writes it\n"
        "# again. Put additions into config.yaml.d/, which is yours.\n"
    )
    return own | {
        paths.k3s_config: ((head + yaml_text(values)).encode(), PRIVATE),
        paths.k3s_settings / "admission.yaml": (admission_text(site.hardening).encode(), PRIVATE),
        paths.k3s_settings / "audit-policy.yaml": (AUDIT_POLICY.encode(), PRIVATE),
        paths.k3s_data / "server/manifests/archipel-accounts.yaml": (accounts_text().encode(), PRIVATE),
        policies_file(paths): (manifest(site).encode(), PRIVATE),
        paths.k3s_data / "agent/etc/kubelet.conf.d/50-archipel.conf": (KUBELET.encode(), PRIVATE),
    }


def yaml_text(values: Mapping[str, object]) -> str:
    """Return a flat mapping of scalars and lists of scalars as YAML; JSON scalars are YAML scalars (YAML 1.2 §1.3)."""
    lines = []
    for key, value in values.items():
        if isinstance(value, list):
            lines.append(f"{key}:" if value else f"{key}: []")
            lines += [f"  - {json.dumps(item)}" for item in value]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def kernel_settings_text() -> str:
    """Return the sysctl.d file with the settings kubelet insists on."""
    lines = [f"{name} = {value}" for name, value in KERNEL_SETTINGS.items()]
    head = "# Written by Archipel: kubelet refuses to start with protect-kernel-defaults unless these hold.\n"
    return head + "\n".join(lines) + "\n"
