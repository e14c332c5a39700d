"""One site and its fleet through a year without contact, in virtual time: the whole agent on a rehearsed machine.

Real are the agent's turns, state, link, outbox, identity, renewal and remote hands, and at the fleet its keys, its registry
of devices and the rule by which it renews. The broker is one in memory; it looks at certificates by the true date, as real
ones do.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from archipel_agent import clocks
from archipel_agent.core import Core
from archipel_agent.host.disk import SystemDisk
from archipel_agent.identity import making
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.identity.keeper import IdentityKeeper
from archipel_agent.link.link import Link
from archipel_agent.link.making import parts_of
from archipel_agent.ports import EnrolFailed, Ports, Secured
from archipel_agent.rehearsal.fleet.gate import Gate
from archipel_agent.rehearsal.fleet.node import RehearsedNode
from archipel_agent.rehearsal.fleet.plan import site
from archipel_agent.rehearsal.fleet.setup import Machine, set_up
from archipel_agent.remote.desk import OrderDesk
from archipel_agent.remote.parts import RemoteParts
from archipel_agent.settings import Settings
from archipel_agent.state.orders import OrderStore
from archipel_agent.state.store import Store
from archipel_contract.audit import Entry
from archipel_contract.commands import Action, Command, Result
from archipel_contract.link import topics
from archipel_contract.link.carrier import CarrierFailed, Outgoing
from archipel_contract.link.envelope import Envelope, Frame, frame_in, frame_to_wire, to_wire
from archipel_contract.link.messages import KINDS, TYPE_OF, Ack, Event, EventKind, Hello, Welcome
from archipel_contract.link.topics import Down
from archipel_contract.names import new_command_id
from archipel_contract.status import LinkStatus
from archipel_contract.trust import certificates
from archipel_contract.trust.enrolment import ENROL, RENEW, TRUST, Renewal, Request
from archipel_contract.wire import from_json, to_data, to_json
from archipel_fleet.device_records import TokenRule
from archipel_fleet.enrolment.caring import Care, NewToken
from archipel_fleet.enrolment.service import Enrolment, Terms
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.storage import open_store
from archipel_fleet.trust.keyring import FleetKeys
from tests.fakes.carrier import FakeBroker, FakeCarrier, ScriptedController
from tests.fakes.clock import VirtualClock
from tests.fakes.fleet_context import CountedEntropy

DAY = 86_400.0
ADDRESS = "https://fleet.example:8471"
ANNA = Account(name="anna", role=AccountRole.ADMIN)
SETTINGS = replace(
    Settings(),
    broker="mqtts://fleet.example",
    link_mode="dial-in",
    link_every=24 * 3600,
    metrics_every=3600.0,
)


class FleetClock:
    """Implements the fleet's Clock port: the true time."""

    def __init__(self, base: VirtualClock) -> None:
        self._base = base

    def now(self) -> int:
        """See ports.Clock."""
        return int(self._base.now().timestamp() * 1000)

    def monotonic(self) -> float:
        """See ports.Clock."""
        return self._base.monotonic()


class Controller(ScriptedController):
    """Signs as a controller does, sends the orders it has to every hello, and keeps results."""

    keys: FleetKeys
    clock: FleetClock
    queue: list[Command]
    outcomes: dict[str, list[Result]]  # of each order, in the order in which they came

    def take_payload(self, topic: str, payload: bytes) -> None:
        """Take in one message of the node; what must be signed is."""
        if not payload or not self.is_listening:
            return
        frame = frame_in(payload)
        before = len(self.hellos)
        super().take_payload(topic, frame_to_wire(Frame(payload=frame.payload)))
        if len(self.hellos) > before:
            self._order(topics.parse(topic), self.hellos[-1])

    def _commit(self, address: topics.Address, envelope: Envelope, body: Any) -> bool:
        if isinstance(body, Result):
            self.outcomes.setdefault(body.command, []).append(body)
        return super()._commit(address, envelope, body)

    def _order(self, address: topics.Address, hello: Hello) -> None:
        """Say every order once as it was signed long ago, and what has not expired once more in answer to this hello."""
        for command in self.queue:
            self._answer(address, command)
            if command.expires > self.clock.now():
                self._answer(address, replace(command, nonce=hello.nonce))

    def _answer(self, address: topics.Address, body: Any) -> None:
        kind = KINDS[TYPE_OF[type(body)]]
        if isinstance(body, Welcome):
            body = replace(body, nonce=self.hellos[-1].nonce)
        if isinstance(body, Ack):
            body = replace(body, node=address.node_id)
        envelope = Envelope(type=kind.name, at=self.clock.now(), body=to_data(body))
        signers = [self.keys.signer] if kind.signed or isinstance(body, Ack) else []
        topic = topics.down(address.shard, address.node_id, Down(kind.channel))
        self._send(Outgoing(topic=topic, payload=to_wire(envelope, signers=signers)))


class CheckedCarrier(FakeCarrier):
    """The broker looks at the certificate before it accepts a connection, by the true date."""

    identity: DeviceIdentity
    clock: FleetClock
    refusals = 0

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """See Carrier."""
        if not self._broker.refuses:
            self.identity.context(check_time=False)
            if self.identity.certificate.not_after.timestamp() * 1000 <= self.clock.now():
                self.refusals += 1
                self.identity.refused()
                raise CarrierFailed("link-broker-refused", "certificate has expired")
        super().open(will, timeout)
        self.identity.connected()


class Bridge:
    """Implements the agent's Enroller port straight over the fleet's enrolment; `is_cut` while there is no way there."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment
        self.is_cut = False
        self.renewals: list[bool] = []  # whether the certificate shown had ended
        self.clock: FleetClock | None = None

    def ask(self, address: str, path: str, body: bytes, secured: Secured | None) -> bytes:
        """See ports.Enroller."""
        if self.is_cut:
            raise EnrolFailed("the fleet is away")
        if path == TRUST:
            return to_json(self._enrolment.trust())
        if path == ENROL:
            return to_json(self._enrolment.enrol(from_json(Request, body), "192.0.2.1"))
        assert path == RENEW and secured is not None and secured.certificate is not None
        shown = secured.certificate.read_bytes()
        assert self.clock is not None
        self.renewals.append(certificates.read(shown).not_after.timestamp() * 1000 <= self.clock.now())
        der = base64.b64decode("".join(one for one in shown.decode().splitlines() if "-----" not in one))
        return to_json(self._enrolment.renew(der, from_json(Renewal, body), "192.0.2.1"))


@dataclass
class Hands:
    """Implements node.Linked: link, identity and remote hands of the agent that runs now."""

    link: Link
    keeper: IdentityKeeper
    desk: OrderDesk
    carrier: CheckedCarrier
    stopped: bool = False

    def status(self) -> LinkStatus:
        """See node.Linked."""
        return self.link.status()

    def look(self) -> None:
        """See node.Linked."""
        self.keeper.look()

    def stop(self) -> None:
        """See node.Linked."""
        self.stopped = True
        self.desk.stop()
        self.keeper.stop()
        self.link.stop()


@dataclass
class Year:
    """The site and its fleet; `day` goes on."""

    root: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    hands: list[Hands] = field(default_factory=list)
    told: int = 0

    def __post_init__(self) -> None:
        """Set both up, and enrol the machine."""
        self.true = FleetClock(self.clock)
        entropy = CountedEntropy()
        self.keys = FleetKeys.first(self.root / "fleet/keys", "Harbour", self.true, entropy)
        self.store = open_store("", self.root / "fleet", self.true, entropy)
        terms = Terms(brokers=("mqtts://fleet.example:8883",))
        self.bridge = Bridge(Enrolment(self.store.devices, self.keys, self.true, lambda: terms))
        self.bridge.clock = self.true
        self.care = Care(self.store.devices, self.keys, self.true, entropy)
        self.broker = FakeBroker(self.clock)
        self.controller = Controller(self.broker.publish)
        self.controller.keys, self.controller.clock = self.keys, self.true
        self.controller.queue, self.controller.outcomes = [], {}
        self.broker.controller = self.controller
        plan = replace(site(4, 1, 1), age_seconds=DAY)
        self.machine: Machine = set_up(plan, self.root / "site", self.clock, 0.05)[0]
        self.node = RehearsedNode(self.machine, SETTINGS, self._linked)
        self.node.start()
        token = self.care.new_token(ANNA, NewToken(uses=1, hours=1, rule=TokenRule.APPROVE))[1]
        assert token is not None
        self.here.keeper.invite(f"{ADDRESS}/#{_text(token)}")
        assert self.here.keeper.identity.has_certificate, self.here.keeper.status()
        self.here.link.start(in_thread=False)

    @property
    def here(self) -> Hands:
        """What runs now."""
        return self.hands[-1]

    @property
    def identity(self) -> DeviceIdentity:
        """The device's identity."""
        return self.here.keeper.identity

    # --- the agent of a machine ------------------------------------------------------------------------------------------

    def _linked(self, core: Core, store: Store, gate: Gate) -> Hands:
        ports = core.ports
        keeper = self._keeper(core, store)
        assert core.journal is not None
        desk = OrderDesk(
            RemoteParts(
                node_id=core.node_id,
                keys=keeper.identity,
                orders=OrderStore(store._database),
                journal=core.journal,
                ports=ports,
                paths=core.paths,
                agent=core,
                time=lambda: _time(store, ports),
                site_id=lambda: _site_id(store),
                heard_time=lambda at: _believe(store, at, ports),
            )
        )
        carrier = CheckedCarrier(self.broker)
        carrier.identity, carrier.clock = keeper.identity, self.true
        gate.guard(carrier)
        parts = parts_of(core.node_id, ports, core.paths, store, SETTINGS, desk)
        link = Link(replace(parts, carrier=lambda: carrier))
        core.link_status, core.when_reported = link.status, link.note
        desk.start(link, in_thread=False)
        made = Hands(link=link, keeper=keeper, desk=desk, carrier=carrier)
        self.hands.append(made)
        if keeper.identity.has_certificate:
            link.start(in_thread=False)
        return made

    def _keeper(self, core: Core, store: Store) -> IdentityKeeper:
        """Return the keeper as `making` makes it, but asking in the calling thread."""
        identity = making.identity_here(core.node_id, core.paths, SystemDisk())
        made = making.keeper_of(identity, core.ports, core.paths, store, SETTINGS, self.bridge)
        made._apart = _at_once
        return made

    # --- time --------------------------------------------------------------------------------------------------------

    def go_on(self, days: float, turns: float = 0.5) -> None:
        """Let so many days pass, with a turn of the agent every `turns` days, and something to tell each time."""
        end = self.clock.monotonic() + days * DAY
        while self.clock.monotonic() < end:
            self.turn()
            self.run(min(end, self.clock.monotonic() + turns * DAY))

    def turn(self) -> None:
        """Have the agent take a turn."""
        here = self.here
        self.node.turn()
        self.told += 1
        here.link.tell(Event(kind=EventKind.NOTE, text=str(self.told)))
        while here.desk.worker.step() == 0.0:
            pass

    def run(self, until: float) -> None:
        """Let the link do what it does until then."""
        while self.clock.monotonic() < until:
            self.here.carrier.longest = max(0.001, until - self.clock.monotonic())
            self.here.link.step()

    def silence(self) -> None:
        """Cut every way to the fleet."""
        self.bridge.is_cut = True
        self.broker.refuses = "link-broker-away"
        self.broker.cut()

    def contact(self) -> None:
        """Heal it."""
        self.bridge.is_cut = False
        self.broker.refuses = ""

    def order(self, action: Action, days: float) -> Command:
        """Queue an order that waits so long for its node."""
        at, number = self.true.now(), len(self.controller.queue) + 1
        made = Command(
            id=new_command_id(lambda count: hashlib.sha256(bytes([number])).digest()[:count]),
            node=self.machine.plan.node_id,
            counter=number,
            issued=at,
            expires=at + int(days * DAY * 1000),
            action=action,
            asked_by="anna",
        )
        self.controller.queue.append(made)
        return made

    # --- what is compared --------------------------------------------------------------------------------------------

    def untouched(self) -> dict[str, Any]:
        """Return all that silence may not change: the site document, k3s' files, its run, who the machine is."""
        disk, paths = self.machine.disk, self.machine.paths
        names = ("config.yaml", "registries.yaml")
        places = [paths.k3s_settings / name for name in names] + [paths.k3s_config]
        store = _core(self.node).store
        assert store is not None
        return {
            "site": store.site(),
            "files": {str(one): disk.read(one) for one in places if disk.exists(one)},
            "jobs": tuple(job.id for job in store.jobs()),
            "node": store.value("node_id"),
            "fleet": self.identity.trust.document.fleet_id,
            "name": self.identity.fleet.display_name,
        }

    def k3s_began(self) -> datetime:
        """Return when the k3s that runs now was started, by the machine's clock of then."""
        run = self.machine.rehearsal.world.life.run
        assert run is not None, "k3s does not run"
        return run.began_at

    def journal(self) -> tuple[Entry, ...]:
        """Return what the machine's audit journal says."""
        journal = _core(self.node).journal
        assert journal is not None
        return journal.after(0, 10_000)

    def close(self) -> None:
        """End everything."""
        self.node.stop()
        self.store.close()


def _at_once(work: Callable[[], None]) -> None:
    work()


def _believe(store: Store, at: int, ports: Ports) -> None:
    clocks.believe(store, at, ports.clock)


def _core(node: RehearsedNode) -> Core:
    assert node._agent is not None
    return node._agent.core


def _site_id(store: Store) -> str:
    document = store.site()
    return document.site_id if document else ""


def _time(store: Store, ports: Ports) -> clocks.TrustedTime:
    synchronized, facts = ports.machine.clock_synchronized(), ports.machine.facts()
    return clocks.trusted(store, ports.clock, synchronized, facts.has_rtc)


def _text(made: Any) -> str:
    """Return a token as it is typed."""
    token = getattr(made, "token", made)
    return str(token.text)
