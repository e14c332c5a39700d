"""A controller's HTTP side over the fake store, with four accounts, for tests and for looking at pages.

`tests.fakes.fleet_sites` has its sites; the accounts' passwords are `PASSWORD`. Hashing is cheap here.
"""

from dataclasses import dataclass, field

from archipel_fleet.accounts.passwords import Cost
from archipel_fleet.api.context import Context
from archipel_fleet.enrolment.caring import Care
from archipel_fleet.live import Live
from archipel_fleet.ports import Keys
from archipel_fleet.records import Account, AccountRole
from tests.fakes.fleet_devices import fake_keys
from tests.fakes.fleet_sites import NOW
from tests.fakes.fleet_store import FakeStore

PASSWORD = "correct horse battery"
ENROL_ADDRESS = "https://fleet.example:8471"
CHEAP = Cost(log_n=4, r=1, p=1)
ACCOUNTS = (
    Account(name="anna", role=AccountRole.ADMIN),
    Account(name="otto", role=AccountRole.OPERATOR),
    Account(name="nora", role=AccountRole.OPERATOR, customer="north"),
    Account(name="viktor", role=AccountRole.VIEWER, customer="south"),
)


@dataclass(slots=True)
class FakeClock:
    """Implements ports.Clock: stands still until a test moves it."""

    milliseconds: int = NOW
    seconds: float = 100.0

    def now(self) -> int:
        """See ports.Clock."""
        return self.milliseconds

    def monotonic(self) -> float:
        """See ports.Clock."""
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.seconds += seconds
        self.milliseconds += int(seconds * 1000)


@dataclass(slots=True)
class CountedEntropy:
    """Bytes that never repeat and are the same in every run."""

    count: int = field(default=0)

    def __call__(self, size: int) -> bytes:
        """Return `size` bytes."""
        self.count += 1
        return self.count.to_bytes(4, "big") * (size // 4) + bytes(size % 4)


def fake_context(
    store: FakeStore | None = None, clock: FakeClock | None = None, keys: Keys | None = None
) -> Context:
    """Return a context whose store holds the twelve sites and ACCOUNTS."""
    used, time = store or FakeStore(), clock or FakeClock()
    used.clock = time
    context = Context(
        store=used,
        clock=time,
        care=Care(
            used.devices, fake_keys(), time, CountedEntropy(), address=ENROL_ADDRESS, journal=used.book
        ),
        live=Live(),
        entropy=CountedEntropy(),
        password_cost=CHEAP,
        keys=keys,
    )
    for account in ACCOUNTS:
        context.accounts.put(account, PASSWORD)
    return context


def token_of(context: Context, name: str) -> str:
    """Log in as one of ACCOUNTS and return the session's token."""
    return context.accounts.login(name, PASSWORD, "127.0.0.1").token
