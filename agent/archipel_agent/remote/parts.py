"""What remote hands need of others: the device's keys, the link, and the agent itself. Made by `compose`, faked by tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from archipel_agent.clocks import TrustedTime
from archipel_agent.journal import Journal
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_agent.service import AgentService
from archipel_agent.state.orders import OrderStore
from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Action, Result
from archipel_contract.link.envelope import Frame
from archipel_contract.link.messages import Event
from archipel_contract.trust.keys import Signer
from archipel_contract.trust.reading import Certificate
from archipel_contract.trust.store import TrustStore


class DeviceKeys(Protocol):
    """The keys of this device and whom it trusts; `identity.device` has them."""

    @property
    def signer(self) -> Signer:
        """Signs with the key of the certificate."""
        ...

    @property
    def certificate(self) -> Certificate:
        """The certificate of this device."""
        ...

    @property
    def trust(self) -> TrustStore:
        """What is trusted now."""
        ...

    def take(self, frame: Frame) -> TrustStore:
        """Take the next trust document; on disk before it counts. Raises NotTrusted, OSError."""
        ...

    def wipe(self) -> None:
        """Leave the fleet: keys are removed. Raises OSError."""
        ...


class Teller(Protocol):
    """Where results and audit entries go: the link."""

    def say(self, *bodies: Result | AuditEntries) -> bool:
        """Put them into the outbox; False, and nothing was taken, while there is no room."""
        ...

    def results(self) -> tuple[int, int]:
        """Return how many bytes of results wait in the outbox, and how many more it takes."""
        ...

    def tell(self, *events: Event) -> None:
        """Put events into the outbox."""
        ...


def _unheard(at: int) -> None:
    """Nobody keeps the time the controller says."""


def _nowhere() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteParts:
    """What the desk is made of."""

    node_id: str
    keys: DeviceKeys
    orders: OrderStore
    journal: Journal
    ports: Ports
    paths: Paths
    agent: AgentService
    time: Callable[[], TrustedTime]
    """The time as well as it is known, and who stands behind it."""
    site_id: Callable[[], str] = _nowhere
    secrets: Callable[[], tuple[str, ...]] = tuple
    """What must not leave the machine beside what looks like a secret."""
    heard_time: Callable[[int], None] = _unheard
    """Told the controller's time (milliseconds since 1970 UTC) from a signed welcome that answers this connection."""
    veto: frozenset[Action] = frozenset()
    two_signatures: bool = True
