"""The checks in the order shown to people, and how they are run.

Hardware first, then the system, the network, k3s, and what Kubernetes says last: a cause stands before what
follows from it, so that of equally grave findings the first one is the one to act upon.
"""

from dataclasses import replace

from archipel_agent.checks import (
    address_changed,
    adopted,
    answers,
    architecture,
    backup,
    boot_loader,
    bootstrap_files,
    certificates,
    cgroup_version,
    cgroup_writable,
    clock,
    cloud_controller,
    cluster_token,
    containerd,
    datastore_health,
    datastore_speed,
    default_route,
    disk_kind,
    disk_pressure,
    disk_space,
    disk_writable,
    duplicate_address,
    empty_files,
    etcd,
    firewall,
    flannel_interface,
    flash,
    foreign_k3s,
    hardening,
    hardware,
    healing,
    identity,
    image_pull,
    image_store,
    iptables,
    k3s_binary,
    k3s_bundle,
    k3s_certificates,
    k3s_options,
    k3s_service,
    kernel_modules,
    kernel_settings,
    kubernetes_api,
    link_broker,
    link_controller,
    link_outbox,
    memory_cgroup,
    memory_pressure,
    name_servers,
    network_overlap,
    node,
    node_address,
    node_name,
    node_password,
    orders,
    own_parts,
    own_state,
    pod_network,
    pod_sandbox,
    pods,
    ports,
    power,
    rights,
    selinux,
    server_reached,
    settings,
    swap,
    temperature,
    ups,
    vxlan,
    watchdog,
)
from archipel_agent.checks.base import CheckModule, Evidence, Phase
from archipel_agent.checks.fixes import FIXES
from archipel_contract.findings import CheckResult, Finding

EVIDENCE_LINES = 3

CHECKS: tuple[CheckModule, ...] = (
    # the machine
    rights,
    architecture,
    hardware,
    power,
    ups,
    temperature,
    watchdog,
    memory_pressure,
    swap,
    boot_loader,
    clock,
    # its disks
    disk_writable,
    disk_space,
    disk_kind,
    flash,
    # its kernel
    memory_cgroup,
    cgroup_version,
    cgroup_writable,
    kernel_modules,
    vxlan,
    kernel_settings,
    iptables,
    selinux,
    # somebody else's k3s: the reason for ports and networks that are taken
    foreign_k3s,
    # its network
    node_name,
    node_address,
    address_changed,
    duplicate_address,
    default_route,
    network_overlap,
    name_servers,
    ports,
    firewall,
    # the agent
    settings,
    answers,
    own_state,
    own_parts,
    # its link to the fleet
    identity,
    link_broker,
    link_controller,
    link_outbox,
    orders,
    # its backups
    backup,
    # k3s and what it keeps
    k3s_binary,
    k3s_bundle,
    k3s_options,
    hardening,
    adopted,
    cluster_token,
    node_password,
    k3s_certificates,
    certificates,
    bootstrap_files,
    empty_files,
    datastore_health,
    etcd,
    datastore_speed,
    disk_pressure,
    server_reached,
    # containers
    containerd,
    pod_sandbox,
    image_pull,
    image_store,
    flannel_interface,
    pod_network,
    cloud_controller,
    # what the agent has tried by itself
    healing,
    # what follows from all of it
    k3s_service,
    kubernetes_api,
    node,
    pods,
)


def look_all(evidence: Evidence, phase: Phase) -> tuple[CheckResult, ...]:
    """Run every check of `phase`, in order; each answers, none raises."""
    now = replace(evidence, phase=phase)
    return tuple(_with_fixes(check.look(now)) for check in CHECKS if phase in check.PHASES)


def _with_fixes(result: CheckResult) -> CheckResult:
    """Add to each finding the repair the agent could do, if there is one."""
    if not any(one.code in FIXES for one in result.findings):
        return result
    return replace(result, findings=tuple(replace(one, fix=FIXES.get(one.code)) for one in result.findings))


def findings(results: tuple[CheckResult, ...]) -> tuple[Finding, ...]:
    """Return the findings in the order of the checks; what two checks found alike is one, with all evidence."""
    merged: dict[tuple[str, tuple[tuple[str, str], ...]], Finding] = {}
    for result in results:
        for one in result.findings:
            key = (one.code, tuple(sorted(one.params.items())))
            before = merged.get(key)
            merged[key] = _joined(before, one) if before else one
    return tuple(merged.values())


def _joined(first: Finding, second: Finding) -> Finding:
    lines = tuple(dict.fromkeys((*first.evidence, *second.evidence)))
    return replace(first, evidence=lines[:EVIDENCE_LINES])
