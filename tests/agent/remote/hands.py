"""A node with its desk under a power supply that can fail: treacherous database, scripted agent, a link that listens."""

import base64
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from archipel_agent.clocks import TrustedTime
from archipel_agent.journal import Journal
from archipel_agent.paths import Paths
from archipel_agent.remote.desk import OrderDesk
from archipel_agent.remote.parts import RemoteParts
from archipel_agent.state.store import Store
from archipel_contract.api import LogLines
from archipel_contract.audit import AuditEntries
from archipel_contract.commands import Action, Result
from archipel_contract.facts import ClockQuality, ClockSource
from archipel_contract.link.envelope import EnvelopeInvalid, Frame
from archipel_contract.link.messages import KINDS, Event, Hello
from archipel_contract.wire import to_json
from tests.chaos.node import Node as Machine
from tests.fakes.database import TreacherousDatabase
from tests.fakes.disk import TreacherousDisk
from tests.fakes.ports import PoweredClock
from tests.fakes.power import Power
from tests.fakes.service import ScriptedService
from tests.fakes.trust import FakeFleet, FakeKeys

NODE = "n-0000000000000000"
OTHER_NODE = "n-0000000000000001"
SITE = "s-0000000000000000"
DATABASE = Path("/var/lib/archipel/state.db")


class FakeLink:
    """Implements remote.parts.Teller: an outbox on a disk of its own, with as much room as a test gives it."""

    def __init__(self) -> None:
        self.said: list[Result | AuditEntries] = []
        self.events: list[Event] = []
        self.waiting = 0
        self.limit = 8 << 20
        self.is_acknowledged = True

    def say(self, *bodies: Result | AuditEntries) -> bool:
        """See Teller."""
        size = sum(len(to_json(one)) for one in bodies)
        if self.waiting + size > self.limit:
            return False
        self.said += bodies
        if not self.is_acknowledged:
            self.waiting += size
        return True

    def results(self) -> tuple[int, int]:
        """See Teller."""
        return self.waiting, max(0, self.limit - self.waiting)

    def tell(self, *events: Event) -> None:
        """See Teller."""
        self.events += events

    def acknowledge(self) -> None:
        """The controller has all of it."""
        self.waiting = 0

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Return id, outcome and code of every result said, by its first piece."""
        firsts = [one for one in self.said if isinstance(one, Result) and one.piece == 0]
        return [(one.command, one.outcome.value, one.code) for one in firsts]

    def data(self, command: str) -> bytes:
        """Return the bytes of a result."""
        pieces = {one.piece: one for one in self.said if isinstance(one, Result) and one.command == command}
        return b"".join(base64.b64decode(pieces[one].data) for one in sorted(pieces))


class CountingAgent(ScriptedService):
    """Counts what is done: the number of lines that logs are asked for names the order."""

    def __init__(self, power: Power) -> None:
        super().__init__()
        self.done: Counter[int] = Counter()
        self.text: tuple[str, ...] = ("one",)
        self._power = power

    def logs(self, source: str, lines: int) -> LogLines:
        """Do something that is seen to be done."""
        self._power.point("before it is done")
        self.done[lines] += 1
        self._power.point("it is done")
        return LogLines(source=source, lines=self.text)


class Hands:
    """One node; `start` is the start of its agent."""

    def __init__(self, fleet: FakeFleet | None = None, **fields: Any) -> None:
        self.power = Power()
        self.disk = TreacherousDisk(self.power)
        self.clock = PoweredClock(self.power)
        self.fleet = fleet or FakeFleet()
        self.keys = FakeKeys(self.fleet, NODE)
        self.agent = CountingAgent(self.power)
        self.link = FakeLink()
        self.machine = Machine()
        self.fields = fields
        self.source = ClockSource.TIME_SERVER
        self.heard: list[int] = []
        self.start()

    def start(self) -> None:
        """Start the agent: everything but what is on disk is forgotten."""
        self.store = Store(TreacherousDatabase(self.disk, DATABASE))
        self.journal = Journal(self.store.audit, self.clock, lambda: ClockQuality.SYNCHRONIZED)
        parts: dict[str, Any] = {
            "node_id": NODE,
            "keys": self.keys,
            "orders": self.store.orders,
            "journal": self.journal,
            "ports": replace(self.machine.ports, clock=self.clock),
            "paths": Paths(Path("/")),
            "agent": self.agent,
            "time": self.time,
            "site_id": lambda: SITE,
            "heard_time": self.heard.append,
            **self.fields,
        }
        self.desk = OrderDesk(RemoteParts(**parts))
        self.desk.start(self.link, in_thread=False)
        self.desk.begin()

    def time(self) -> TrustedTime:
        """What the clock says, and who stands behind it."""
        now = self.clock.now()
        return TrustedTime(
            now=now,
            quality=ClockQuality.SYNCHRONIZED,
            floor=now,
            source=self.source,
            checks_dates=self.source is not ClockSource.NONE,
        )

    @property
    def now(self) -> int:
        """The time in milliseconds since 1970 UTC."""
        return int(self.clock.now().timestamp() * 1000)

    def command(self, action: Action = Action.LOGS, **fields: Any) -> Frame:
        """Return a new command of the fleet; one for logs names itself by the number of lines."""
        if action is Action.LOGS:
            fields.setdefault("arguments", {"lines": self.fleet.counter + 1})
        return self.fleet.command(NODE, self.now, action, **fields)

    def hear(self, frame: Frame, kind: str = "command") -> str:
        """Have something arrive from above; return the code with which it was refused, empty if it was not."""
        try:
            self.desk.ordered(KINDS[kind], frame)
        except EnvelopeInvalid as error:
            self.desk.refused(kind, error.code, str(error))
            return error.code
        return ""

    def work(self, seconds: float = 600.0) -> None:
        """Let the worker do and say what there is."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            wait = self.desk.worker.step()
            if wait is None:
                return
            self.clock.advance(wait)

    def hello(self) -> Hello:
        """Return what the next hello says."""
        return self.desk.complete(Hello())

    def come_back(self) -> None:
        """The power is back, and the agent starts."""
        self.power.back()
        self.start()
