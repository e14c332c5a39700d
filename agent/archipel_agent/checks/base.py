"""What a check is: a module with `PHASES` and `look(evidence)`, its slug being the module's name.

A check is pure: evidence in, CheckResult out. It reads nothing itself. When the evidence it needs is missing it answers
`undecided(...)`, never `passed(...)`. Findings are made by `catalogue.finding`, so that each has its words.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from archipel_agent.clocks import TrustedTime
from archipel_agent.firewall.standing import Stand
from archipel_agent.flash.seen import FlashSeen
from archipel_agent.host.board import Board
from archipel_agent.host.boot_line import BootLine
from archipel_agent.k3s.certificates import Certificate
from archipel_agent.k3s.hardening_seen import HardeningSeen
from archipel_agent.neighbours import AddressSeen
from archipel_agent.ports import Listener
from archipel_agent.power.seen import UpsSeen, WatchdogSeen
from archipel_agent.rounds import Failing
from archipel_contract.answers import AnswersStatus
from archipel_contract.facts import ClockQuality, DiskSpace, NodeFacts, NodeUsage
from archipel_contract.findings import CheckResult, Finding, Verdict
from archipel_contract.site import SiteDocument
from archipel_contract.status import ClusterStatus, EnrolmentStatus, K3sStatus, LinkStatus


class Phase(StrEnum):
    """When a check makes sense."""

    PREFLIGHT = "preflight"  # before k3s is set up or started by us
    RUNTIME = "runtime"  # once k3s has been set up


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person asked `up` for; empty means "not said". Addresses are settled by choice, never by guess."""

    node_name: str = ""
    node_ip: str = ""
    interface: str = ""
    cluster_cidr: str = ""
    service_cidr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSeen:
    """How the backups of this site stand; `code` and `problem` are of the last try, if it failed."""

    planned: bool = True
    last: str = ""  # when the last one was made, in words; empty before the first
    overdue: bool = False
    code: str = ""
    problem: str = ""
    place: str = ""
    drilled: bool = False
    same_disk: tuple[str, ...] = ()  # devices that hold both the place and k3s' data, if any is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything a check may look at. None means "could not be read"."""

    now: datetime
    facts: NodeFacts
    usage: NodeUsage
    clock: ClockQuality
    is_root: bool
    wishes: Wishes = Wishes()
    site: SiteDocument | None = None
    k3s: K3sStatus = K3sStatus()
    k3s_log: tuple[str, ...] | None = None  # of the current run and the one before, oldest first
    containerd_log: tuple[str, ...] | None = None
    cluster: ClusterStatus | None = None
    listeners: tuple[Listener, ...] | None = None
    kernel_settings: dict[str, str | None] = field(default_factory=dict)  # the names kubelet insists on
    modules: dict[str, bool | None] = field(default_factory=dict)  # br_netfilter, overlay, vxlan, ...
    disks: dict[str, DiskSpace] = field(default_factory=dict)  # "data" (k3s' data directory), "state" (ours)
    iptables: str | None = None  # standard output of `iptables --version`
    resolv_conf: str | None = None
    kernel_command_line: str | None = None
    pod_words: tuple[str, ...] = ()  # the last lines of pods in a crash loop, "namespace/pod: line"
    hardening: HardeningSeen | None = (
        None  # how it stands in the cluster; None: no site of ours, or not asked
    )
    board: Board = Board()  # what only the doctor asks of a board and its kernel
    datastore: str | None = None  # "sqlite", "etcd" or "" for none yet: what lies on the disk
    boot_line: BootLine | None = None  # a Raspberry Pi's cmdline.txt, which counts from the next start on
    firewall_kept: bool | None = None  # rules were confirmed, and are to be in force
    firewall_declared: bool | None = None  # those rules are made from what is declared now
    firewall: Stand | None = None  # how they stand in the kernel
    foreign_k3s: tuple[str, ...] | None = (
        None  # signs of a k3s that is not ours: unit, process, data, one line each
    )
    binary_problem: str = ""  # why the k3s that would be used does not run here
    state_problem: str = ""  # why our own state cannot be used
    settings_problem: str = ""  # what is wrong in agent.toml
    phase: Phase = (
        Phase.RUNTIME
    )  # set by `look_all`; before a start, what an earlier run logged decides nothing
    binary: str | None = None  # the k3s that would be used: "PATH: first line of its --version"
    k3s_drop_ins: str | None = (
        None  # the text of every file in config.yaml.d, one after the other; "" if there is none
    )
    not_before: datetime | None = None  # the later of our build and the latest time this machine has seen
    userland_bits: int | None = None  # 32 or 64: what programs are built for, whatever the kernel is
    empty_files: tuple[str, ...] | None = None  # files k3s needs at its start that have no content
    resolv_conf_upstream: str | None = None  # /run/systemd/resolve/resolv.conf, "" if there is none
    broken_programs: tuple[
        str, ...
    ] = ()  # of what k3s unpacked, while it keeps ending: not as it unpacked them
    healing_stopped: str | None = None  # the finding for which the agent tried a repair as often as it may
    link: LinkStatus | None = None
    enrolment: EnrolmentStatus | None = None
    answers: AnswersStatus | None = None  # how the answer file stands
    time: TrustedTime | None = None  # the present as well as it can be known, and who says so
    certificates: tuple[Certificate, ...] | None = None  # k3s' own, with when they end
    restart_at: datetime | None = (
        None  # when k3s may next be restarted by itself, local time; None: never by itself
    )
    backup: BackupSeen | None = None
    drift: tuple[str, ...] | None = None  # of an adopted site: how it differs from one of ours, one line each
    flash: FlashSeen | None = None  # the devices with k3s' data, and what is written to them
    ups: UpsSeen | None = None  # without a name where none is set
    watchdog: WatchdogSeen | None = None
    address: AddressSeen | None = None  # who else has the node's IPv4 address; None: nobody was asked
    twice6: tuple[str, ...] | None = (
        None  # IPv6 addresses that the kernel found in use elsewhere, with interface
    )
    failing: tuple[Failing, ...] | None = None  # parts of the agent that keep failing by a defect
    restart_tried: bool = False  # k3s was restarted for just these certificates already


class CheckModule(Protocol):
    """What every module of this package with a check offers."""

    __name__: str
    PHASES: frozenset[Phase]

    def look(self, evidence: Evidence) -> CheckResult:
        """Judge the evidence; never raises for what the evidence holds."""
        ...


BOTH = frozenset(Phase)
PREFLIGHT = frozenset({Phase.PREFLIGHT})
RUNTIME = frozenset({Phase.RUNTIME})


def slug_of(module: str) -> str:
    """Return the slug of a check from its module's `__name__`."""
    return module.rpartition(".")[2].replace("_", "-")


def passed(slug: str, said: str) -> CheckResult:
    """The check saw what it needed and all is well; `said` is the measured value in one line."""
    return CheckResult(slug=slug, verdict=Verdict.OK, said=said)


def undecided(slug: str, said: str) -> CheckResult:
    """The evidence was not there; `said` names what is missing."""
    return CheckResult(slug=slug, verdict=Verdict.UNDECIDED, said=said)


def found(slug: str, said: str, *findings: Finding) -> CheckResult:
    """Something is wrong."""
    return CheckResult(slug=slug, verdict=Verdict.FOUND, said=said, findings=findings)
