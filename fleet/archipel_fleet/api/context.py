"""What the API and the pages work with: the store, the clock, who listens, who may log in. Made by `serve` or a test."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from prometheus_client import CollectorRegistry

from archipel_contract import __version__
from archipel_contract.findings import Finding
from archipel_fleet.accounts.passwords import Cost, Entropy, Passwords
from archipel_fleet.accounts.service import Accounts
from archipel_fleet.enrolment.caring import Care
from archipel_fleet.live import Live
from archipel_fleet.orders.bell import Bell
from archipel_fleet.orders.service import Orders
from archipel_fleet.ports import Clock, Keys, Store
from archipel_fleet.records import FindingRow


def no_trouble() -> tuple[Finding, ...]:
    """Return no findings: the controller knows of nothing wrong with itself."""
    return ()


def nothing_about(node_id: str) -> tuple[FindingRow, ...]:
    """Return no findings: there is no link that could have noticed anything."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Context:
    """One controller, as its HTTP side sees it. `trouble` is called often and must answer at once, from memory."""

    store: Store
    clock: Clock
    live: Live
    entropy: Entropy = secrets.token_bytes
    version: str = __version__
    password_cost: Cost = Cost()
    trouble: Callable[[], tuple[Finding, ...]] = no_trouble  # findings about the controller itself
    care: Care | None = None  # None: a controller without keys, which enrols nobody
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)  # what /metrics shows
    keys: Keys | None = None  # the fleet's; without them nothing can be ordered
    bell: Bell = field(default_factory=Bell)  # rings at the link when something was ordered
    about: Callable[[str], tuple[FindingRow, ...]] = (
        nothing_about  # what the link noticed of a node, by its id; from memory
    )

    @cached_property
    def accounts(self) -> Accounts:
        """Who may log in; one for the whole process, as it remembers attempts."""
        return Accounts(self.store, self.clock, self.entropy, Passwords(self.entropy, self.password_cost))

    @cached_property
    def orders(self) -> Orders:
        """What people order of nodes."""
        return Orders(self.store.book, self.keys, self.clock, self.entropy, self.bell)
