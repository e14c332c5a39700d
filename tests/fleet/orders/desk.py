"""The fleet's end for tests: orders over a store, what people do and what is sent."""

from dataclasses import dataclass, field
from typing import Any

from archipel_contract.commands import Action
from archipel_contract.link.carrier import Outgoing
from archipel_fleet.order_records import OrderRow
from archipel_fleet.orders.bell import Bell
from archipel_fleet.orders.sending import Sending
from archipel_fleet.orders.service import Orders, Wish
from archipel_fleet.ports import Arrival, Taken
from archipel_fleet.records import EVERYTHING, Account, AccountRole
from archipel_fleet.storage import SqlStore
from tests.fakes.fleet_context import CountedEntropy, FakeClock
from tests.fakes.fleet_keys import FakeKeys
from tests.fleet.orders.devices import Device
from tests.fleet.storage.speech import NOW

ANNA = Account(name="anna", role=AccountRole.ADMIN)
BERTA = Account(name="berta", role=AccountRole.ADMIN)
OTTO = Account(name="otto", role=AccountRole.OPERATOR)


@dataclass
class Desk:
    """Orders, and the way to nodes."""

    store: SqlStore
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    keys: FakeKeys = field(default_factory=FakeKeys)
    bell: Bell = field(default_factory=Bell)
    entropy: CountedEntropy = field(default_factory=CountedEntropy)

    def __post_init__(self) -> None:
        """Put it together."""
        self.orders = Orders(self.store.book, self.keys, self.clock, self.entropy, self.bell)
        self.sending = Sending(self.store.book, self.keys, self.bell)

    def order(
        self, device: Device, action: Action = Action.DOCTOR, account: Account = OTTO, **arguments: Any
    ) -> OrderRow:
        """Order something of one node."""
        return self.orders.place(
            account, Wish(target=device.speaker.node_id, action=action, arguments=arguments)
        )[0]

    def now(self, order: OrderRow) -> OrderRow:
        """The order as it is now."""
        found = self.store.book.order(EVERYTHING, order.id)
        assert found is not None
        return found

    def hears(self, *arrivals: Arrival) -> Taken:
        """Commit what was said."""
        return self.store.take(arrivals)

    def sends(self, device: Device) -> list[Outgoing]:
        """What is said to a device now."""
        found = self.sending.messages({device.speaker.node_id}, self.clock.now())
        return [message for _, message in found]

    def meet(self, device: Device) -> None:
        """A contact: hello, what is sent, what is answered."""
        device.speaker.now = self.clock.now()
        self.hears(device.speaker.presence(connection=device.speaker.connection + 1), device.hello())
        answered = device.heed(self.sends(device))
        if answered:
            self.hears(*answered)

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.pass_by(seconds)
