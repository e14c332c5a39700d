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
from archipel_fleet.live import Live
from archipel_fleet.ports import Clock, Store


def no_trouble() -> tuple[Finding, ...]:
    """Return no findings: the controller knows of nothing wrong with itself."""
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
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)  # what /metrics shows

    @cached_property
    def accounts(self) -> Accounts:
        """Who may log in; one for the whole process, as it remembers attempts."""
        return Accounts(self.store, self.clock, self.entropy, Passwords(self.entropy, self.password_cost))
