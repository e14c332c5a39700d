"""A controller so small that it only answers and counts: a thread on a real broker, for tests of the rehearsal."""

import threading
from collections import Counter, defaultdict
from types import TracebackType
from typing import Any

from archipel_contract.link import topics
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import Incoming, Outgoing
from archipel_contract.link.envelope import Envelope, from_wire, to_wire
from archipel_contract.link.messages import KINDS, Ack, EpochAck, Hello, Presence, Welcome
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down
from archipel_contract.wire import from_data, to_data

INCARNATION = "small"


class SmallController:
    """Welcomes every node and acknowledges everything at once; what it heard can be read at any time."""

    def __init__(self, url: BrokerUrl) -> None:
        self._carrier = MqttCarrier(url, "small-controller")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="small-controller")
        self.hellos: dict[str, Hello] = {}
        self.connected: dict[str, bool] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.sequences: dict[tuple[str, int], set[int]] = defaultdict(set)

    def __enter__(self) -> "SmallController":
        self._carrier.open()
        self._carrier.subscribe([(topics.ALL_UP, 1)])
        self._say(
            topics.CONTROLLER_PRESENCE,
            "presence",
            Presence(connected=True, connection=1, spread_seconds=1.0),
            True,
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._carrier.wake()
        self._thread.join(10)
        self._carrier.close()

    def of_site(self, name: str) -> dict[str, bool]:
        """Whether each node of a site is connected, as its presence says."""
        return {
            hello.node_name: self.connected.get(node, False)
            for node, hello in dict(self.hellos).items()
            if hello.site_name == name
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            for one in self._carrier.receive(1.0):
                if isinstance(one, Incoming) and one.payload:
                    self._take(one)

    def _take(self, one: Incoming) -> None:
        address = topics.parse(one.topic)
        _, envelope = from_wire(one.payload)
        body = from_data(KINDS[envelope.type].body, envelope.body)
        self.counts[envelope.type] += 1
        if isinstance(body, Presence):
            self.connected[address.node_id] = body.connected
        elif isinstance(body, Hello):
            self.hellos[address.node_id] = body
            self.connected[address.node_id] = True
            said = Welcome(incarnation=INCARNATION, connection=body.connection)
            self._say(topics.down(address.shard, address.node_id, Down.WELCOME), "welcome", said)
        else:
            if envelope.type == "full":
                self.states[address.node_id] = body.state
            seen = self.sequences[address.node_id, envelope.epoch]
            seen.add(envelope.sequence)
            acked = Ack(
                acks=(EpochAck(epoch=envelope.epoch, also=((envelope.sequence, envelope.sequence),)),)
            )
            self._say(topics.down(address.shard, address.node_id, Down.ACK), "ack", acked)

    def _say(self, topic: str, name: str, body: Any, retained: bool = False) -> None:
        payload = to_wire(Envelope(type=name, at=0, body=to_data(body)))
        self._carrier.send(Outgoing(topic=topic, payload=payload, qos=KINDS[name].qos, retained=retained))
