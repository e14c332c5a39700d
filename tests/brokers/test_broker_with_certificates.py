"""The link over TLS and over WebSocket against each real broker: what travels, what bad networks do, what it costs."""

import contextlib
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager

import pytest

from archipel_contract.link import topics
from archipel_contract.link.broker_url import TLS, BrokerUrl
from archipel_contract.link.carrier import CarrierFailed, Incoming
from archipel_contract.link.envelope import WIRE_LIMIT
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down, Up
from archipel_fleet.link.broker_access import CONTROLLER
from tests.brokers.guarded import NODE, GuardedBroker, GuardedMosquitto, GuardedNats
from tests.brokers.listening import heard, lost, settled, silence
from tests.brokers.proxy import FaultProxy, Mode
from tests.brokers.talking import opened, said

pytestmark = [pytest.mark.broker, pytest.mark.real_process]

PRESENCE = topics.up(5, NODE, Up.PRESENCE)
EVENT = topics.up(5, NODE, Up.EVENT)
ACK = topics.down(5, NODE, Down.ACK)
WAYS: dict[str, Callable[[GuardedBroker, str], MqttCarrier]] = {
    "tls": lambda broker, name: broker.carrier(name, manual_ack=True),
    "websocket": lambda broker, name: broker.over_websocket(name),
}
Way = Callable[[GuardedBroker, str], MqttCarrier]


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


def controller(broker: GuardedBroker) -> AbstractContextManager[MqttCarrier]:
    return opened(broker.carrier(CONTROLLER, manual_ack=True), topics.ALL_UP)


def through(broker: GuardedBroker, proxy: FaultProxy, name: str, keepalive: int = 60) -> MqttCarrier:
    url = BrokerUrl("127.0.0.1", proxy.port, scheme=TLS)
    return MqttCarrier(url, name, tls=broker.pki.context(name), keepalive=keepalive)


@pytest.fixture
def network(guarded: GuardedBroker) -> Generator[FaultProxy, None, None]:
    with FaultProxy(guarded.port) as proxy:
        yield proxy


def test_the_largest_messages_pass_both_ways_as_they_were_sent(guarded: GuardedBroker, way: Way) -> None:
    large = bytes(range(256)) * (WIRE_LIMIT // 256)
    with controller(guarded) as ear, opened(way(guarded, NODE)) as node:
        node.subscribe([(topics.down_filter(5, NODE), 1), (topics.CONTROLLER_PRESENCE, 1)])
        for payload in (b"", b"x", large):
            for qos in (0, 1):
                assert node.send(said(EVENT, payload, qos))
                assert ear.send(said(ACK, payload, qos))
                assert [one.payload for one in heard(ear) + heard(node)] == [payload, payload]
        assert settled(node) == []


def test_three_hundred_messages_that_are_each_answered_arrive_in_their_order(
    guarded: GuardedBroker, way: Way
) -> None:
    with controller(guarded) as ear, opened(way(guarded, NODE)) as node:
        node.subscribe([(topics.down_filter(5, NODE), 1)])
        came: list[bytes] = []
        back: list[bytes] = []
        sent = answered = 0
        until = time.monotonic() + 15
        while len(back) < 300:
            assert time.monotonic() < until, (sent, len(came), len(back))
            while sent < 300 and node.send(said(EVENT, b"%d" % sent)):
                sent += 1
            for carrier, heap in ((ear, came), (node, back)):
                for one in carrier.receive(0.001):
                    assert isinstance(one, Incoming)
                    heap.append(one.payload)
                    carrier.acknowledge(one)
            while answered < len(came) and ear.send(said(ACK, came[answered])):
                answered += 1
        assert came == back == [b"%d" % number for number in range(300)]


def test_the_will_comes_after_a_break_and_never_after_goodbye(guarded: GuardedBroker, way: Way) -> None:
    with controller(guarded) as ear:
        node = way(guarded, NODE)
        node.open(said(PRESENCE, b"gone"))
        node.close(orderly=False)
        assert heard(ear)[0].payload == b"gone"
        for number in range(5):
            node.open(said(PRESENCE, b"gone"))
            assert node.send(said(PRESENCE, b"goodbye %d" % number, qos=0))
            node.close()
            assert heard(ear)[0].payload == b"goodbye %d" % number
        silence(ear, 0.2)


def test_an_idle_connection_stays_and_then_still_carries(guarded: GuardedBroker) -> None:
    node = guarded.over_websocket(NODE)
    node._keepalive = 2
    node._patience = 2.0
    with controller(guarded) as ear, opened(node):
        silence(node, 3.2)
        assert node.send(said(EVENT))
        assert heard(ear) and settled(node) == []


def test_waiting_on_an_idle_connection_costs_no_turn_of_the_loop(guarded: GuardedBroker, way: Way) -> None:
    with opened(way(guarded, NODE)) as node:
        node.receive(0.3)  # what the broker says after the handshake
        before = time.thread_time()
        silence(node, 1.0)
        assert time.thread_time() - before < 0.02


def test_a_slow_network_delays_and_loses_nothing(guarded: GuardedBroker, network: FaultProxy) -> None:
    network.delay = 0.1
    with controller(guarded) as ear, opened(through(guarded, network, NODE)) as node:
        for number in range(20):
            assert node.send(said(EVENT, b"%d" % number + b"x" * 5000))
        assert [int(one.payload.rstrip(b"x")) for one in heard(ear, 20)] == list(range(20))


def test_a_message_cut_in_the_middle_arrives_not_at_all_and_a_cut_is_noticed(
    guarded: GuardedBroker, network: FaultProxy
) -> None:
    network.cut_after = 50_000
    with controller(guarded) as ear:
        node = through(guarded, network, NODE)
        node.open()
        assert node.send(said(EVENT, b"whole"))
        assert heard(ear)[0].payload == b"whole"
        with contextlib.suppress(CarrierFailed):
            node.send(said(EVENT, b"x" * 100_000))
        assert lost(node).code == "link-broker-away"
        silence(ear)


def test_a_network_that_swallows_everything_is_given_up_in_time(guarded_mosquitto: GuardedMosquitto) -> None:
    with FaultProxy(guarded_mosquitto.port) as network:
        node = through(guarded_mosquitto, network, NODE, keepalive=2)
        network.mode = Mode.SWALLOW
        began = time.monotonic()
        with pytest.raises(CarrierFailed) as failed:
            node.open(timeout=0.5)
        assert failed.value.code == "link-broker-away" and "TLS" in str(failed.value)
        assert time.monotonic() - began < 2
        network.mode = Mode.PASS
        node.open()
        network.mode = Mode.SWALLOW  # half-open: everything we say is gone, and nobody tells us
        began = time.monotonic()
        assert lost(node).code == "link-broker-away" and time.monotonic() - began < 7


def test_a_connection_costs_few_bytes(guarded_mosquitto: GuardedMosquitto, guarded_nats: GuardedNats) -> None:
    # Bounds above what was measured: 1,350 up; 1,410 down from mosquitto without tickets, 2,230 from nats-server, whose
    # one ticket cannot be turned off.
    for broker, down in ((guarded_mosquitto, 1600), (guarded_nats, 2450)):
        with FaultProxy(broker.port) as counted:
            with opened(through(broker, counted, NODE)) as node:
                node.subscribe([(topics.down_filter(5, NODE), 1), (topics.CONTROLLER_PRESENCE, 1)])
                node.receive(0.2)
            assert 1000 < counted.passed_up < 1500
            assert 1000 < counted.passed_down < down
