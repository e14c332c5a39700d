"""What a list shows of a node, out of its state as it came over the wire. Pure, and ready for any state that is JSON.

A state is foreign: fields may be missing (they have their default then), of the wrong type or of a newer version. Nothing
here raises; what cannot be read is as if it were not there. Texts are cut and cleaned so that every database takes them.
"""

from dataclasses import dataclass
from typing import Any

from archipel_contract.findings import Severity
from archipel_contract.site import Role
from archipel_contract.status import Health

TEXT_LIMIT = 300
CODES_LIMIT = 64
INTEGER_LIMIT = (1 << 63) - 1
_GRAVITY = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.UNKNOWN: 2, Severity.HINT: 3}
_SEVERITIES = {str(one): one for one in Severity}
_HEALTHS = {str(one): one for one in Health}
_ROLES = {str(one): one for one in Role}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One node's state in a few words and numbers."""

    name: str
    role: Role
    site_id: str
    site_name: str
    health: Health
    k3s_version: str
    agent_version: str
    os_name: str
    model: str
    architecture: str
    clock: str
    rehearsed: bool
    problems: int
    warnings: int
    worst: str
    codes: str
    term: int  # -1: this node does not speak for the cluster
    nodes_ready: int | None
    pods: int
    pods_ready: int


def summarised(state: dict[str, Any]) -> Summary:
    """Return the summary of compact JSON of `messages.NodeState`."""
    facts, k3s = _map(state.get("facts")), _map(state.get("k3s"))
    findings = [_map(one) for one in _map(state.get("findings")).values()]
    severities = [_SEVERITIES.get(text(one.get("severity")), Severity.UNKNOWN) for one in findings]
    codes = [text(one.get("code")) for one in findings]
    worst = min(zip(severities, codes, strict=True), key=lambda one: _GRAVITY[one[0]], default=(None, ""))
    reachable = state.get("cluster_reachable") is True
    pods = [_map(one) for one in _map(state.get("pods")).values()]
    return Summary(
        name=text(state.get("node_name")),
        role=_ROLES.get(text(state.get("role")), Role.UNKNOWN),
        site_id=text(state.get("site_id")),
        site_name=text(state.get("site_name")),
        health=_HEALTHS.get(text(state.get("health")), Health.UNKNOWN),
        k3s_version=text(k3s.get("version")),
        agent_version=text(state.get("agent_version")),
        os_name=text(facts.get("os_name")),
        model=text(facts.get("model")),
        architecture=text(facts.get("architecture")),
        clock=text(state.get("clock")),
        rehearsed=state.get("rehearsed") is True,
        problems=severities.count(Severity.PROBLEM),
        warnings=severities.count(Severity.WARNING),
        worst=worst[1],
        codes=spaced(codes[:CODES_LIMIT]),
        term=number(state.get("term")) if reachable else -1,
        nodes_ready=sum(_map(one).get("ready") is True for one in _map(state.get("nodes")).values())
        if reachable
        else None,
        pods=len(pods),
        pods_ready=sum(one.get("ready") is True for one in pods),
    )


def spaced(codes: list[str]) -> str:
    """Return codes between spaces, so that ` code ` finds exactly one of them."""
    words = sorted({one.replace(" ", "") for one in codes} - {""})
    return f" {' '.join(words)} " if words else ""


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Return a text that every database takes: no NUL (PostgreSQL refuses it), no half surrogate pairs, not too long."""
    if not isinstance(value, str):
        return ""
    short = value[:limit]
    if short.isascii() and "\x00" not in short:
        return short
    return short.replace("\x00", "\ufffd").encode(errors="replace").decode()


def number(value: Any, lowest: int = 0) -> int:
    """Return a whole number that fits 64 bits, `lowest` for whatever is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return lowest
    return max(lowest, min(value, INTEGER_LIMIT))
