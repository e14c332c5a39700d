"""Whether the ports k3s listens on are free.

Before a start from the list of listening sockets, with the owner's name; afterwards from k3s' own complaint.
The ports and where k3s binds them: k3s' documentation of its requirements, and what a single server was seen
to listen on.
"""

import ipaddress
import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, Phase, found, passed, slug_of, undecided
from archipel_agent.ports import Listener
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding
from archipel_contract.status import ServiceState

SLUG = slug_of(__name__)
PHASES = BOTH

EVERYWHERE = {(6443, "tcp"), (10250, "tcp"), (8472, "udp")}
LOOPBACK = {(port, "tcp") for port in (6444, 10010, 10248, 10249, 10256, 10257, 10258, 10259)}
OUR_PROCESSES = ("k3s", "containerd", "kubelet")
SIGN = logs.Sign(
    code="port-taken-logged",
    pattern=re.compile(r"listen (?P<protocol>tcp|udp)\d? \S*?:(?P<port>\d+): bind: address already in use"),
    over=logs.node_is_ready,
)


def look(evidence: Evidence) -> CheckResult:
    """Judge the listeners before a start, and what k3s said afterwards."""
    if evidence.phase is Phase.RUNTIME:
        return logs.look_for(SLUG, evidence, SIGN)
    if evidence.listeners is None:
        return undecided(SLUG, "the listening sockets could not be read")
    # One that is just being stopped, as in a restart, is in no state we know and still holds its ports.
    ours = evidence.site is not None and evidence.k3s.state not in (ServiceState.ABSENT, ServiceState.STOPPED)
    taken: dict[str, list[Listener]] = {}
    for listener in sorted(evidence.listeners, key=lambda one: (one.port, one.protocol, one.process)):
        if in_the_way(listener) and not (ours and _is_ours(listener, evidence)):
            taken.setdefault(_owner(listener), []).append(listener)
    if taken:
        return found(SLUG, _said(taken), *(_finding(owner, sockets) for owner, sockets in taken.items()))
    return passed(SLUG, f"{len(EVERYWHERE | LOOPBACK)} ports are free")


def in_the_way(listener: Listener) -> bool:
    """Whether k3s could not bind its port because of this socket."""
    key = (listener.port, listener.protocol.removesuffix("6"))
    if key in EVERYWHERE:
        return True
    return key in LOOPBACK and _covers_loopback(listener.address)


def _covers_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return True  # "*" and what we do not understand
    return address.is_unspecified or str(address) == "127.0.0.1"


def _is_ours(listener: Listener, evidence: Evidence) -> bool:
    if listener.pid is not None and listener.pid == evidence.k3s.pid:
        return True
    # A kernel socket (vxlan) has no process, and without rights none can be read.
    return not listener.process or listener.process.startswith(OUR_PROCESSES)


def _owner(listener: Listener) -> str:
    if not listener.process:
        return ""
    return f"{listener.process} (pid {listener.pid})" if listener.pid is not None else listener.process


def _named(sockets: list[Listener]) -> str:
    return ", ".join(dict.fromkeys(f"{one.port}/{one.protocol.removesuffix('6')}" for one in sockets))


def _finding(owner: str, sockets: list[Listener]) -> Finding:
    lines = [f"{_named([one])} at {one.address or '*'} {owner}".strip() for one in sockets]
    if not owner:
        taken = finding("port-taken-unknown", ports=_named(sockets), port=str(sockets[0].port))
    else:
        pid = sockets[0].pid
        taken = finding(
            "port-taken", ports=_named(sockets), owner=owner, pid=str(pid) if pid is not None else "PID"
        )
    return logs.with_evidence(taken, *lines)


def _said(taken: dict[str, list[Listener]]) -> str:
    return "; ".join(f"{_named(sockets)} {owner or '?'}" for owner, sockets in taken.items())
