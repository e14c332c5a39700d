"""Who may order what, and how an order must look. Pure; called by `service`, shown by commands and pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from archipel_contract.commands import KUBECTL_VERBS, SIGNATURES, Action
from archipel_fleet.order_records import Addressee
from archipel_fleet.records import Account, AccountRole

HOUR = 3_600_000
DAY = 24 * HOUR
LIFETIME = 7 * DAY  # milliseconds for which an order waits for its node
LONGEST = 400 * DAY
MOST_LINES = 2000  # of a log; more is what a support bundle is for
SOURCES = ("k3s", "agent")
WORDS_LIMIT, WORD_LIMIT = 32, 253  # of kubectl; 253 is the length of a name in Kubernetes
NEEDS: Mapping[Action, AccountRole] = {
    Action.LOGS: AccountRole.OPERATOR,
    Action.DOCTOR: AccountRole.OPERATOR,
    Action.SUPPORT: AccountRole.OPERATOR,
    Action.RESTART: AccountRole.OPERATOR,
    Action.KUBECTL: AccountRole.OPERATOR,
    Action.DECOMMISSION: AccountRole.ADMIN,
}
# On which nodes of a site an order for the whole site is done; what changes something needs its node by name.
ONE_SERVER = (Action.KUBECTL,)
EVERY_NODE = (Action.LOGS, Action.DOCTOR, Action.SUPPORT)
ENDED = {"revoked": "revoked", "decommissioned": "taken out of service"}
_RANK = {AccountRole.VIEWER: 0, AccountRole.OPERATOR: 1, AccountRole.ADMIN: 2}


class OrderRefused(Exception):
    """An order is not taken; `code` is a word for programs, `remedy` the next step."""

    def __init__(self, code: str, detail: str, remedy: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.remedy = remedy


def may(account: Account, action: Action) -> bool:
    """Whether an account may order this."""
    return action in NEEDS and not account.disabled and _RANK[account.role] >= _RANK[NEEDS[action]]


def check_may(account: Account, action: Action) -> None:
    """Raise OrderRefused (order-not-permitted, order-unfit) unless the account may order this."""
    if action not in NEEDS:
        raise OrderRefused("order-unfit", f"there is no order {action}; there are {', '.join(NEEDS)}")
    if not may(account, action):
        raise OrderRefused("order-not-permitted", f"{action} takes the role {NEEDS[action]}")


def signatures(action: Action) -> int:
    """Return how many different people's or programs' signatures an order needs."""
    return SIGNATURES.get(action, 1)


def checked(action: Action, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an order as they travel; raise OrderRefused (order-unfit). The device checks them anew."""
    known = {Action.LOGS: {"source", "lines"}, Action.KUBECTL: {"arguments"}}.get(action, set())
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise OrderRefused("order-unfit", f"{action} takes no {unknown[0][:40]!r}")
    if action is Action.LOGS:
        return _logs(arguments)
    if action is Action.KUBECTL:
        return {"arguments": _words(arguments.get("arguments"))}
    return {}


def _logs(arguments: Mapping[str, Any]) -> dict[str, Any]:
    source, lines = arguments.get("source", SOURCES[0]), arguments.get("lines", 200)
    if source not in SOURCES:
        raise OrderRefused(
            "order-unfit", f"there is no log {str(source)[:40]!r}; there are {', '.join(SOURCES)}"
        )
    if not isinstance(lines, int) or isinstance(lines, bool) or not 1 <= lines <= MOST_LINES:
        raise OrderRefused("order-unfit", f"lines must be 1 to {MOST_LINES}")
    return {"source": source, "lines": lines}


def _words(words: object) -> list[str]:
    if not isinstance(words, list | tuple) or not words or not all(isinstance(one, str) for one in words):
        raise OrderRefused("order-unfit", "kubectl needs words, such as: get pods -A")
    if words[0] not in KUBECTL_VERBS:
        raise OrderRefused("order-unfit", f"kubectl may only {', '.join(KUBECTL_VERBS)} from afar")
    if len(words) > WORDS_LIMIT or any(
        not 0 < len(one) <= WORD_LIMIT or not one.isprintable() for one in words
    ):
        raise OrderRefused(
            "order-unfit", f"kubectl takes at most {WORDS_LIMIT} words of {WORD_LIMIT} characters"
        )
    return list(words)


def chosen(action: Action, found: Sequence[Addressee], target: str) -> tuple[Addressee, ...]:
    """Return the nodes an order goes to; raise OrderRefused (order-nobody, order-device-ended, order-names-no-node,
    order-unheeded). A site's order goes past those of its nodes that were revoked or taken out of service.
    """
    if not found:
        raise OrderRefused(
            "order-nobody", f"there is no site and no node {target!r}", "See them: archipel fleet sites"
        )
    found = _reached(found)
    heeding = [one for one in found if one.identified]
    if not heeding:
        raise OrderRefused(
            "order-unheeded",
            f"no node of {target!r} has an identity, so none would heed an order",
            "Enrol it on the node: sudo archipel enrol",
        )
    if action in ONE_SERVER:
        servers = [one for one in heeding if one.is_server] or heeding
        return (max(servers, key=lambda one: one.connected),)
    if action not in EVERY_NODE and len(found) > 1:
        names = ", ".join(one.name for one in found[:8])
        raise OrderRefused(
            "order-names-no-node",
            f"{action} is for one node, and {target!r} has {len(found)}",
            f"Name one: {names}",
        )
    return tuple(heeding)


def _reached(found: Sequence[Addressee]) -> Sequence[Addressee]:
    """Return the nodes that orders can reach at all; raise OrderRefused (order-device-ended) where there are none."""
    left = [one for one in found if not one.ended]
    if left:
        return left
    ended = ", ".join(f"{one.name} was {ENDED.get(one.ended, one.ended)}" for one in found[:8])
    raise OrderRefused(
        "order-device-ended",
        f"{ended}; it hears nothing of this fleet, so nothing is queued for it",
        "To let it come back: sudo archipel enrol --again LINK on the device, then archipel fleet approve CODE",
    )


def lifetime(hours: int | None) -> int:
    """Return for how many milliseconds an order waits; raise OrderRefused (order-unfit)."""
    if hours is None:
        return LIFETIME
    if not 1 <= hours <= LONGEST // HOUR:
        raise OrderRefused("order-unfit", f"an order waits 1 to {LONGEST // HOUR} hours")
    return hours * HOUR
