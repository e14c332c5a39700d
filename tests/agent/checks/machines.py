"""Evidence for the tests of checks: a machine on which all is well, and one of which nothing could be read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from archipel_agent.checks.base import BackupSeen, Evidence, Phase
from archipel_agent.clocks import TrustedTime
from archipel_agent.flash.ledger import Rates
from archipel_agent.flash.seen import FlashSeen
from archipel_agent.flash.wear import Wear
from archipel_agent.host.board import Board
from archipel_agent.k3s.certificates import Certificate
from archipel_agent.neighbours import AddressSeen
from archipel_agent.power.seen import UpsSeen, WatchdogSeen
from archipel_contract.answers import AnswersStatus
from archipel_contract.facts import (
    Cgroups,
    ClockQuality,
    ClockSource,
    DiskSpace,
    InitSystem,
    Nic,
    NodeFacts,
    NodeUsage,
    Route,
    Throttling,
)
from archipel_contract.findings import CheckResult, Finding, Verdict
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, Role, SiteDocument
from archipel_contract.status import (
    ClusterNode,
    ClusterStatus,
    EnrolmentStatus,
    K3sStatus,
    LinkStatus,
    Pod,
    ServiceState,
)

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
GB = 1_000_000_000
LOGS = Path(__file__).resolve().parents[2] / "machines/logs"
STARTING = 'time="2026-11-22T08:00:00Z" level=info msg="Starting k3s v1.36.3+k3s1 (66a14f0e)"'

ETH0 = Nic(name="eth0", mac="02:00:00:00:00:01", up=True, carrier=True, addresses=("192.168.4.27/24",))
LOOPBACK = Nic(name="lo", up=True, addresses=("127.0.0.1/8",), virtual=True)
PI = NodeFacts(
    hostname="edge-07",
    architecture="aarch64",
    init=InitSystem.SYSTEMD,
    cpus=4,
    memory_bytes=4 << 30,
    has_rtc=True,
    cgroups=Cgroups(version=2, controllers=("cpu", "cpuset", "io", "memory", "pids")),
    nics=(LOOPBACK, ETH0),
    routes=(
        Route(destination="0.0.0.0/0", interface="eth0", gateway="192.168.4.1"),
        Route(destination="192.168.4.0/24", interface="eth0"),
    ),
    raspberry_pi=True,
)
SITE = SiteDocument(
    site_id="s-0000000000000000",
    generation=0,
    origin=Origin.LOCAL,
    name="edge-07",
    network=Network(node_ip="192.168.4.27", interface="eth0"),
    k3s=K3sBinary(path="/usr/local/bin/k3s", version="v1.36.3+k3s1", sha256="0" * 64),
    nodes=(NodeSpec(node_id="n-0000000000000000", node_name="edge-07"),),
)
DISK = DiskSpace(
    path="/var/lib/rancher/k3s",
    device="/dev/nvme0n1p2",
    kind="nvme",
    filesystem="ext4",
    size_bytes=29 * GB,
    free_bytes=20 * GB,
)
NODE = ClusterNode(
    name="edge-07", role=Role.SERVER, ready=True, reason="KubeletReady", version="v1.36.3+k3s1"
)
COREDNS = Pod(namespace="kube-system", name="coredns-1", phase="Running", ready=True, node="edge-07")
CLUSTER = ClusterStatus(reachable=True, ready=True, nodes=(NODE,), pods=(COREDNS,))

GOOD = Evidence(
    backup=BackupSeen(planned=False),
    now=NOW,
    facts=PI,
    usage=NodeUsage(
        memory_used_bytes=1 << 30,
        memory_total_bytes=4 << 30,
        temperature_c=52.0,
        throttling=Throttling(
            under_voltage=False, capped=False, throttled=False, under_voltage_since_boot=False
        ),
    ),
    clock=ClockQuality.SYNCHRONIZED,
    time=TrustedTime(
        now=NOW,
        quality=ClockQuality.SYNCHRONIZED,
        floor=NOW,
        source=ClockSource.TIME_SERVER,
        checks_dates=True,
    ),
    certificates=(
        Certificate(
            file="server/tls/client-admin.crt",
            kind="server",
            begins=NOW - timedelta(days=65),
            ends=NOW + timedelta(days=300),
        ),
    ),
    is_root=True,
    site=SITE,
    k3s=K3sStatus(state=ServiceState.RUNNING, version="v1.36.3+k3s1", pid=812),
    empty_files=(),
    board=Board(
        bootloader_built=NOW - timedelta(days=400), swaps=(), voltage_notes=(), has_modules_of_kernel=True
    ),
    datastore="sqlite",
    k3s_log=(STARTING,),
    containerd_log=(),
    cluster=CLUSTER,
    listeners=(),
    kernel_settings={
        "vm.overcommit_memory": "1",
        "vm.panic_on_oom": "0",
        "kernel.panic": "10",
        "kernel.panic_on_oops": "1",
        "kernel.keys.root_maxkeys": "1000000",
        "kernel.keys.root_maxbytes": "25000000",
    },
    modules={"br_netfilter": True, "overlay": True, "nf_conntrack": True, "vxlan": True},
    disks={"data": DISK, "state": replace(DISK, path="/var/lib/archipel")},
    iptables="iptables v1.8.9 (nf_tables)\n",
    resolv_conf="nameserver 192.168.4.1\n",
    resolv_conf_upstream="",
    kernel_command_line="console=tty1 root=/dev/nvme0n1p2",
    foreign_k3s=(),
    binary="/usr/local/bin/k3s: k3s version v1.36.3+k3s1 (66a14f0e)",
    k3s_drop_ins="",
    not_before=datetime(2026, 11, 1, tzinfo=UTC),
    userland_bits=64,
    flash=FlashSeen(
        devices=(Wear(device="nvme0n1", kind="nvme", name="SN700", size=250 * GB, used_percent=3),),
        rates=Rates(now=4.1 * GB, week=3.8 * GB),
        budget=75.0 * GB,
    ),
    ups=UpsSeen(),
    watchdog=WatchdogSeen(present=True, asked_for=True, state="active", timeout=14),
    address=AddressSeen(interface="eth0", address="192.168.4.27"),
    twice6=(),
    failing=(),
    link=LinkStatus(),
    enrolment=EnrolmentStatus(),
    answers=AnswersStatus(),
    firewall_kept=False,
    healing_stopped="",
)
# Before the first `up` on the same machine.
FRESH = replace(
    GOOD,
    phase=Phase.PREFLIGHT,
    site=None,
    k3s=K3sStatus(state=ServiceState.ABSENT),
    k3s_log=None,
    containerd_log=None,
    cluster=None,
)
BLIND = Evidence(
    now=NOW,
    facts=NodeFacts(hostname="", architecture=""),
    usage=NodeUsage(),
    clock=ClockQuality.UNKNOWN,
    is_root=False,
)


def with_facts(evidence: Evidence, **changes: Any) -> Evidence:
    """Return `evidence` with some facts changed."""
    return replace(evidence, facts=replace(evidence.facts, **changes))


def with_log(*lines: str, state: ServiceState = ServiceState.RUNNING, ready: bool = False) -> Evidence:
    """Return a site whose k3s logged `lines` after its start; its API says nothing unless it is `ready`."""
    return replace(
        GOOD,
        k3s=replace(GOOD.k3s, state=state, restarts=4),
        k3s_log=(STARTING, *lines),
        cluster=CLUSTER if ready else None,
    )


def only(result: CheckResult) -> Finding:
    """Return the one finding of a result."""
    assert result.verdict is Verdict.FOUND, result
    assert len(result.findings) == 1, result.findings
    return result.findings[0]


def recorded(name: str) -> tuple[str, ...]:
    """Return the lines of a recorded log, without its header."""
    lines = (LOGS / f"{name}.log").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# "), name
    return tuple(lines[1:])
