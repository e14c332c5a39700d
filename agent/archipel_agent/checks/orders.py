"""Whether anything from above was refused within the last day: orders without a good signature, old ones, strange ones."""

from collections.abc import Iterable

from archipel_agent.checks import link_trouble, logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult, Finding
from archipel_contract.status import LinkState, RefusedOrders

SLUG = slug_of(__name__)
PHASES = BOTH


def look(evidence: Evidence) -> CheckResult:
    """Judge what was refused."""
    link = evidence.link
    if link is None or link.state is LinkState.UNKNOWN:
        return undecided(SLUG, "only a running agent knows what it refused")
    if not link.orders.heeded:
        return passed(SLUG, "this node takes no orders")
    refused = link.orders.refused
    if not refused:
        return passed(SLUG, "nothing was refused")
    said = f"{sum(one.count for one in refused)} messages refused"
    return found(SLUG, said, *map(_finding, *_grouped(refused)))


def _grouped(refused: Iterable[RefusedOrders]) -> tuple[list[str], list[list[RefusedOrders]]]:
    groups: dict[str, list[RefusedOrders]] = {}
    for one in refused:
        groups.setdefault(link_trouble.refusal(one.code), []).append(one)
    return list(groups), list(groups.values())


def _finding(code: str, refused: list[RefusedOrders]) -> Finding:
    last = max(refused, key=lambda one: one.last_at)
    lines = [f"{one.code}: {one.count} times, last at {one.last_at}: {one.detail}" for one in refused]
    # The reason alone: what is said of each message would make a new state of every one of them.
    return logs.with_evidence(finding(code, detail=last.code), *lines)
