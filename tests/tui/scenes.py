"""Canned machines and jobs for the tests of the terminal UI: a healthy site, a sick one, a bare box, a job
under way.
"""

from dataclasses import replace

from archipel_contract.api import Checks
from archipel_contract.catalogue import finding
from archipel_contract.facts import ClockQuality, DiskSpace, Nic, NodeFacts, NodeUsage, Throttling
from archipel_contract.findings import CheckResult, Finding, Fix, Severity, Verdict
from archipel_contract.jobs import Job, JobState, Plan, PlannedStep, Step, StepState, Verb
from archipel_contract.site import K3sBinary, Network, NodeSpec, Origin, Role, SiteDocument
from archipel_contract.status import (
    ClusterNode,
    ClusterStatus,
    Health,
    K3sStatus,
    NodeStatus,
    Pod,
    Report,
    ServiceState,
)

NODE_ID = "n-7k2m9qxf04hvd1et"
JOB_ID = "j-7k2m9qxf04hvd1et"
VERSION = "v1.34.2+k3s1"
GIB = 1 << 30

FACTS = NodeFacts(
    hostname="edge-07",
    architecture="aarch64",
    os_name="Debian GNU/Linux 12 (bookworm)",
    model="Raspberry Pi 4 Model B Rev 1.4",
    cpus=4,
    memory_bytes=4 * GIB,
    nics=(
        Nic(name="lo", addresses=("127.0.0.1/8",), virtual=True),
        Nic(name="eth0", up=True, carrier=True, speed_mbit=1000, addresses=("192.168.4.27/24",)),
        Nic(name="wlan0", up=True, carrier=False),
        Nic(name="cni0", up=True, addresses=("10.42.0.1/24",), virtual=True),
    ),
    disks=(DiskSpace(path="/", size_bytes=32 * GIB, free_bytes=20 * GIB),),
)
TWO_NETWORKS = replace(
    FACTS,
    nics=(
        *FACTS.nics,
        Nic(
            name="enp3s0",
            up=True,
            carrier=True,
            speed_mbit=100,
            addresses=("10.20.30.40/16",),
            mac="02:00:00:00:00:01",
        ),
    ),
)
USAGE = NodeUsage(
    cpu_percent=41.2,
    load_1m=0.7,
    memory_used_bytes=3 * GIB,
    memory_total_bytes=4 * GIB,
    disk_used_bytes=7 * GIB,
    disk_total_bytes=32 * GIB,
    temperature_c=58.4,
    uptime_seconds=90_000.0,
    throttling=Throttling(under_voltage=False, capped=False, throttled=False, under_voltage_since_boot=True),
)
SITE = SiteDocument(
    site_id="s-7k2m9qxf04hvd1et",
    generation=0,
    origin=Origin.LOCAL,
    name="Halle 3",
    network=Network(node_ip="192.168.4.27", interface="eth0"),
    k3s=K3sBinary(path="/usr/local/bin/k3s", version=VERSION, sha256="0" * 64),
    nodes=(NodeSpec(node_id=NODE_ID, node_name="edge-07"),),
)
PODS = (
    Pod(namespace="kube-system", name="coredns-6799fbcd5-x7k2m", phase="Running", ready=True),
    Pod(namespace="kube-system", name="local-path-provisioner-84db5d44d9-9qxf0", phase="Running", ready=True),
    Pod(namespace="kube-system", name="metrics-server-67c658944b-4hvd1", phase="Running", ready=True),
)
BAD_POD = Pod(
    namespace="line-b",
    name="camera-7d9f8b6c5d-et7k2",
    phase="Pending",
    ready=False,
    restarts=3,
    reason="ImagePullBackOff",
    message="the image registry.example/camera:1.4 is not on this box and the registry does not answer",
)
LOW_POWER = Finding(
    code="test-low-power",
    severity=Severity.PROBLEM,
    evidence=("vcgencmd get_throttled: 0x50005", "kernel: Undervoltage detected!"),
    since="2026-01-02T01:04:05Z",
    fix=Fix(code="test-low-power", restarts=True, usual_seconds=95),
    summary="The power supply is too weak",
    next_step="Use the supply made for this board, with a short cable.",
)
NOT_ROOT = finding("not-root", ("uid 1000",), user="anna", command="up")


def healthy() -> Report:
    """A site that does well."""
    return Report(
        at="2026-01-02T03:04:05Z",
        health=Health.HEALTHY,
        sentence="k3s runs, the node is Ready, 3 of 3 pods are ready.",
        node=NodeStatus(
            node_id=NODE_ID,
            node_name="edge-07",
            role=Role.SERVER,
            clock=ClockQuality.SYNCHRONIZED,
            facts=FACTS,
            usage=USAGE,
            k3s=K3sStatus(
                state=ServiceState.RUNNING,
                version=VERSION,
                started_at="2025-12-20T23:00:00Z",
                kept_by="systemd",
            ),
        ),
        cluster=ClusterStatus(
            reachable=True,
            ready=True,
            nodes=(ClusterNode(name="edge-07", role=Role.SERVER, ready=True, version=VERSION),),
            pods=PODS,
        ),
        site=SITE,
        agent_version="0.1.0",
    )


def sick() -> Report:
    """A site with two problems and a pod that does not start."""
    good = healthy()
    return replace(
        good,
        health=Health.UNHEALTHY,
        sentence="k3s runs, but 2 problems stand against it.",
        cluster=replace(good.cluster, pods=(*PODS, BAD_POD)),
        findings=(LOW_POWER, NOT_ROOT),
    )


def bare() -> Report:
    """A box that is not set up."""
    good = healthy()
    return replace(
        good,
        health=Health.NOT_SET_UP,
        sentence="There is no k3s on this machine.",
        node=replace(good.node, k3s=K3sStatus(state=ServiceState.ABSENT)),
        cluster=ClusterStatus(reachable=False, message="no k3s"),
        site=None,
    )


CHECKS = Checks(
    phase="runtime",
    results=(
        CheckResult(slug="clock", verdict=Verdict.OK, said="the kernel says synchronized"),
        CheckResult(slug="disk_space", verdict=Verdict.OK, said="20 GiB free of 32 GiB"),
        CheckResult(slug="disk_speed", verdict=Verdict.UNDECIDED, said="nothing was written yet"),
        CheckResult(slug="rights", verdict=Verdict.FOUND, said="uid 1000", findings=(NOT_ROOT,)),
        CheckResult(slug="power", verdict=Verdict.FOUND, said="0x50005", findings=(LOW_POWER,)),
        *(CheckResult(slug=f"check_{number}", verdict=Verdict.OK, said="fine") for number in range(16)),
    ),
)

STEPS = (
    ("preflight", "Check this machine"),
    ("install-k3s", "Install k3s"),
    ("write-config", "Write the configuration of k3s"),
    ("kernel-settings", "Set the kernel settings k3s protects"),
    ("start-k3s", "Start k3s"),
    ("wait-api", "Wait for the Kubernetes API"),
    ("wait-node", "Wait for the node"),
    ("wait-pods", "Wait for the core pods"),
)
PLAN = Plan(
    verb=Verb.UP,
    steps=tuple(
        PlannedStep(
            slug=slug,
            title=title,
            needed=slug != "install-k3s",
            said=f"{VERSION} is there" if slug == "install-k3s" else "",
        )
        for slug, title in STEPS
    ),
)


def job(done: int, state: JobState = JobState.RUNNING, waiting: str = "") -> Job:
    """A job of `up` with so many steps done and the next one running."""
    steps = []
    for number, (slug, title) in enumerate(STEPS):
        if number < done:
            steps.append(
                Step(
                    slug=slug, title=title, state=StepState.DONE, seconds=1.5 * number, said="as it should be"
                )
            )
        elif number == done and state is JobState.RUNNING:
            steps.append(
                Step(
                    slug=slug,
                    title=title,
                    state=StepState.RUNNING,
                    seconds=41.0,
                    usual_seconds=75.0,
                    waiting_for=waiting,
                )
            )
        else:
            steps.append(Step(slug=slug, title=title))
    return Job(id=JOB_ID, verb=Verb.UP, state=state, steps=tuple(steps), created_at="2026-01-02T03:04:05Z")
