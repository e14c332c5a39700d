"""What the link relies on in every broker, held against each; where brokers differ, the difference is written down here.

Nothing here may be relied on beyond these facts: what counts is acknowledged by the controller, never by a broker.
"""

import contextlib
import socket
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from archipel_contract.link import topics
from archipel_contract.link.carrier import CarrierFailed, Incoming, Lost, Outgoing
from archipel_contract.link.envelope import WIRE_LIMIT
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down, Up
from archipel_fleet.link.broker_access import PACKET_LIMIT
from tests.brokers import speech
from tests.brokers.listening import heard, lost, settled, silence
from tests.brokers.proxy import FaultProxy, Mode
from tests.brokers.servers import BROKERS, RealBroker
from tests.brokers.talking import opened, said

pytestmark = [pytest.mark.broker]

NODE = "n-0123456789abcdef"
OTHER = "n-fedcba9876543210"
PRESENCE = topics.up(5, NODE, Up.PRESENCE)
EVENT = topics.up(5, NODE, Up.EVENT)

# Where brokers differ. Neither answer is wrong for the link: it asks no broker to keep anything.
KEEPS_RETAINED_OVER_KILL = {"mosquitto": False, "nats": True}
# What becomes of messages for somebody who reads too slowly, once the broker's own limit is reached.
FULL_QUEUE = {"mosquitto": "the newest are dropped in silence", "nats": "the connection is ended"}
SMALL_QUEUE = {
    "mosquitto": "max_queued_messages 200\nmax_inflight_messages 20\n",
    "nats": 'max_pending: 1000000\nwrite_deadline: "1s"\n',
}
SENDS_WILL_AT_TAKEOVER = {"mosquitto": True, "nats": False}


def connected(
    broker: RealBroker, client_id: str, will: Outgoing | None = None, manual_ack: bool = False
) -> AbstractContextManager[MqttCarrier]:
    return opened(broker.carrier(client_id, manual_ack=manual_ack), will=will)


def controller(broker: RealBroker) -> AbstractContextManager[MqttCarrier]:
    return opened(broker.carrier("controller", manual_ack=True), topics.ALL_UP)


# --- what travels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_arrives_as_it_was_sent(broker: RealBroker, qos: int) -> None:
    payload = bytes(range(256)) * 3
    with controller(broker) as ear, connected(broker, NODE) as node:
        assert node.send(said(EVENT, payload, qos))
        (one,) = heard(ear)
        assert (one.topic, one.payload, one.retained, one.duplicate) == (EVENT, payload, False, False)
        assert (one.token is not None) == (qos == 1)
        assert settled(node) == []


def test_five_hundred_messages_of_one_node_arrive_in_their_order(broker: RealBroker) -> None:
    with controller(broker) as ear, connected(broker, NODE) as node:
        came: list[bytes] = []
        for number in range(500):
            while not node.send(said(EVENT, b"%d" % number)):
                came += [one.payload for one in ear.receive(0.01) if isinstance(one, Incoming)]
                node.receive(0.01)
        came += [one.payload for one in heard(ear, 500 - len(came))]
        assert came == [b"%d" % number for number in range(500)]


def test_the_largest_message_we_make_passes(broker: RealBroker) -> None:
    with controller(broker) as ear, connected(broker, NODE) as node:
        for qos in (0, 1):
            assert node.send(said(EVENT, b"x" * WIRE_LIMIT, qos))
            assert len(heard(ear)[0].payload) == WIRE_LIMIT


def test_the_controllers_filter_hears_every_node_and_no_word_to_one(broker: RealBroker) -> None:
    spoken = [
        topics.up(shard, node, channel) for shard in (0, 63) for node in (NODE, OTHER) for channel in Up
    ]
    silent = [topics.down(0, NODE, Down.ACK), topics.CONTROLLER_PRESENCE]
    with controller(broker) as ear, connected(broker, "speaker") as speaker:
        for topic in silent + spoken:
            assert speaker.send(said(topic, qos=0))
        assert [one.topic for one in heard(ear, len(spoken))] == spoken
        silence(ear, 0.1)


def test_a_node_hears_what_is_said_to_it_and_the_controllers_presence_each_once(broker: RealBroker) -> None:
    with connected(broker, NODE) as node, connected(broker, "controller") as speaker:
        node.subscribe([(topics.down_filter(5, NODE), 1), (topics.CONTROLLER_PRESENCE, 1)])
        mine = [topics.down(5, NODE, channel) for channel in Down] + [topics.CONTROLLER_PRESENCE]
        others = [topics.down(5, OTHER, Down.ACK), topics.down(6, NODE, Down.ACK), EVENT]
        for topic in others + mine:
            assert speaker.send(said(topic, qos=0))
        assert [one.topic for one in heard(node, len(mine))] == mine
        silence(node, 0.1)


def test_a_controller_of_some_shards_hears_only_those(broker: RealBroker) -> None:
    with connected(broker, "controller") as ear, connected(broker, NODE) as node:
        ear.subscribe([(topics.up_filter(shard), 1) for shard in range(32)])
        for shard in (32, 31):
            assert node.send(said(topics.up(shard, NODE, Up.STATE), qos=0))
        assert heard(ear)[0].topic == topics.up(31, NODE, Up.STATE)
        silence(ear, 0.1)


def test_a_filter_that_ends_in_a_hash_hears_the_level_above_too(broker: RealBroker) -> None:
    with connected(broker, "ear") as ear, connected(broker, "speaker") as speaker:
        ear.subscribe([("x/#", 1)])
        for topic in ("x", "x/y", "x/y/z", "xy"):
            assert speaker.send(said(topic, qos=0))
        assert [one.topic for one in heard(ear, 3)] == ["x", "x/y", "x/y/z"]
        silence(ear, 0.1)


def test_a_message_above_the_brokers_limit_ends_the_connection_of_who_sent_it(broker: RealBroker) -> None:
    # Which is why a carrier refuses what is larger than WIRE_LIMIT: sent again, it would do so for ever.
    with controller(broker) as ear, socket.create_connection((broker.url.host, broker.url.port), 5) as raw:
        raw.sendall(speech.connect(b"raw"))
        answer = speech.read(raw)
        assert answer is not None and answer.kind == speech.CONNACK
        with contextlib.suppress(ConnectionError):
            raw.sendall(speech.publish(EVENT.encode(), b"x" * (PACKET_LIMIT + 1), 1))
        assert speech.read(raw) is None
        silence(ear, 0.1)


def test_answering_each_message_while_more_come_in_never_blocks(broker: RealBroker) -> None:
    with controller(broker) as ear, connected(broker, NODE) as node:
        node.subscribe([(topics.down_filter(5, NODE), 1)])
        sent = answered = heard_back = 0
        until = time.monotonic() + 15
        while heard_back < 300:
            assert time.monotonic() < until, (sent, answered, heard_back)
            if sent < 300 and node.send(said(EVENT, b"%d" % sent)):
                sent += 1
            for one in ear.receive(0):
                assert isinstance(one, Incoming)
                while not ear.send(said(topics.down(5, NODE, Down.ACK), one.payload)):
                    ear.receive(0.001)
                ear.acknowledge(one)
                answered += 1
            heard_back += len(node.receive(0.001))


# --- retained -------------------------------------------------------------------------------------------------------


def test_a_retained_message_reaches_who_subscribes_later_and_says_that_it_is_old(broker: RealBroker) -> None:
    with connected(broker, NODE) as node, connected(broker, "late") as late:
        assert node.send(said(PRESENCE, b"here", retained=True))
        settled(node)
        late.subscribe([(topics.ALL_UP, 1)])
        (one,) = heard(late)
        assert (one.payload, one.retained) == (b"here", True)
        assert node.send(said(PRESENCE, b"still here", retained=True))
        (one,) = heard(late)
        assert (one.payload, one.retained) == (b"still here", False)


def test_an_empty_retained_message_removes_the_one_before(broker: RealBroker) -> None:
    with connected(broker, NODE) as node:
        assert node.send(said(PRESENCE, b"here", retained=True)) and node.send(
            said(PRESENCE, b"", retained=True)
        )
        settled(node)
    with controller(broker) as ear:
        silence(ear)


def test_retained_messages_survive_an_ordinary_restart(broker: RealBroker) -> None:
    with connected(broker, NODE) as node:
        assert node.send(said(PRESENCE, b"here", retained=True))
        settled(node)
    broker.restart()
    with controller(broker) as ear:
        assert heard(ear)[0].payload == b"here"


def test_whether_retained_messages_survive_a_kill_is_a_fact_of_the_broker(broker: RealBroker) -> None:
    with connected(broker, NODE) as node:
        assert node.send(said(PRESENCE, b"here", retained=True))
        settled(node)
    broker.kill()
    broker.start()
    with controller(broker) as ear:
        if KEEPS_RETAINED_OVER_KILL[broker.name]:
            assert heard(ear)[0].payload == b"here"
        else:
            silence(ear)


# --- the will -------------------------------------------------------------------------------------------------------


def test_the_will_is_sent_when_the_connection_breaks_and_is_kept_if_it_says_so(
    broker: RealBroker, faults: FaultProxy
) -> None:
    with controller(broker) as ear:
        node = MqttCarrier(faults.url, NODE)
        node.open(said(PRESENCE, b"gone", retained=True))
        faults.cut()
        assert heard(ear)[0].payload == b"gone"
        assert lost(node).code == "link-broker-away"
    with controller(broker) as later:
        (one,) = heard(later)
        assert (one.payload, one.retained) == (b"gone", True)


def test_the_will_is_sent_when_a_node_ends_without_a_word(broker: RealBroker) -> None:
    with controller(broker) as ear:
        node = broker.carrier(NODE)
        node.open(said(PRESENCE, b"gone"))
        node.close(orderly=False)
        assert heard(ear)[0].payload == b"gone"


def test_the_will_is_not_sent_after_an_orderly_end_and_the_last_words_arrive(broker: RealBroker) -> None:
    with controller(broker) as ear:
        for number in range(20):
            node = broker.carrier(NODE)
            node.open(said(PRESENCE, b"gone"))
            node.subscribe([(topics.down_filter(5, NODE), 1)])
            assert ear.send(said(topics.down(5, NODE, Down.ASK), b"unread", qos=0))
            assert node.send(said(PRESENCE, b"goodbye %d" % number, qos=0))
            node.close()
            assert heard(ear)[0].payload == b"goodbye %d" % number
        silence(ear)


def test_a_second_connection_of_one_id_ends_the_first_which_does_not_come_back_by_itself(
    broker: RealBroker,
) -> None:
    with (
        controller(broker) as ear,
        connected(broker, NODE, said(PRESENCE, b"gone")) as first,
        connected(broker, NODE) as second,
    ):
        assert lost(first).code == "link-broker-away"
        silence(first, 0.5)
        assert second.send(said(EVENT, b"mine now"))
        came = [one.payload for one in heard(ear, 2 if SENDS_WILL_AT_TAKEOVER[broker.name] else 1)]
        assert b"mine now" in came
        assert (b"gone" in came) == SENDS_WILL_AT_TAKEOVER[broker.name]
        assert settled(second) == []
        silence(ear, 0.2)


# --- sessions -------------------------------------------------------------------------------------------------------


def test_a_session_is_clean_so_nothing_is_kept_for_who_is_away(broker: RealBroker) -> None:
    with connected(broker, "speaker") as speaker:
        ear = broker.carrier("controller", manual_ack=True)
        ear.open()
        ear.subscribe([(topics.ALL_UP, 1)])
        ear.close(orderly=False)
        assert speaker.send(said(EVENT, b"while you were away"))
        settled(speaker)
        ear.open()
        silence(ear)
        assert speaker.send(said(EVENT, b"you did not subscribe"))
        settled(speaker)
        silence(ear)
        ear.close()


def test_an_unacknowledged_message_is_not_acknowledged_on_the_next_connection(broker: RealBroker) -> None:
    with controller(broker) as ear, connected(broker, NODE) as node:
        assert node.send(said(EVENT, b"one"))
        (one,) = ear.receive(5)
        assert isinstance(one, Incoming) and one.token is not None
        ear.open()
        ear.subscribe([(topics.ALL_UP, 1)])
        ear.acknowledge(one)  # of the connection before: must not reach the broker, whose ids start anew
        assert node.send(said(EVENT, b"two"))
        assert [two.payload for two in heard(ear)] == [b"two"]


# --- brokers that end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_ends_is_noticed_at_once_and_is_used_again_when_it_is_back(
    broker: RealBroker, how: str
) -> None:
    with controller(broker) as ear:
        getattr(broker, how)()
        assert lost(ear).code == "link-broker-away"
        with pytest.raises(CarrierFailed) as refused:
            ear.open()
        assert refused.value.code == "link-broker-away"
        with pytest.raises(CarrierFailed):
            ear.send(said(EVENT))
        broker.start()
        ear.open()
        ear.subscribe([(topics.ALL_UP, 1)])
        with connected(broker, NODE) as node:
            assert node.send(said(EVENT, b"again"))
            assert heard(ear)[0].payload == b"again"


def test_a_broker_that_hangs_is_noticed_by_the_keepalive(mosquitto: RealBroker) -> None:
    broker = mosquitto  # a stopped process is the same whichever program it runs
    carrier = broker.carrier(NODE, keepalive=2)
    carrier.open()
    broker.pause()
    began = time.monotonic()
    gone = lost(carrier)
    broker.resume()
    assert gone.code == "link-broker-away" and "has not answered" in gone.detail
    assert 2 <= time.monotonic() - began < 7


def test_an_idle_connection_stays_over_many_keepalives(broker: RealBroker) -> None:
    carrier = broker.carrier(NODE, keepalive=2)
    carrier.open()
    silence(carrier, 3.5)
    assert carrier.send(said(EVENT))
    assert settled(carrier) == []
    carrier.close()


# --- bad networks ---------------------------------------------------------------------------------------------------


def test_a_slow_network_delays_and_loses_nothing(broker: RealBroker, faults: FaultProxy) -> None:
    faults.delay = 0.15
    with controller(broker) as ear:
        node = MqttCarrier(faults.url, NODE)
        began = time.monotonic()
        node.open()
        assert time.monotonic() - began >= 0.3
        for number in range(20):
            assert node.send(said(EVENT, b"%d" % number))
        assert [one.payload for one in heard(ear, 20)] == [b"%d" % number for number in range(20)]
        assert settled(node) == []
        node.close()


def test_a_message_cut_in_the_middle_arrives_not_at_all(broker: RealBroker, faults: FaultProxy) -> None:
    faults.cut_after = 50_000
    with controller(broker) as ear:
        node = MqttCarrier(faults.url, NODE)
        node.open()
        assert node.send(said(EVENT, b"whole"))
        assert heard(ear)[0].payload == b"whole"
        with contextlib.suppress(CarrierFailed):
            node.send(said(EVENT, b"x" * 100_000))
        assert lost(node).code == "link-broker-away"
        silence(ear)


def test_a_network_that_swallows_everything_is_given_up_in_time_and_one_that_cuts_at_once(
    broker: RealBroker, faults: FaultProxy
) -> None:
    node = MqttCarrier(faults.url, NODE)
    for mode, longest in ((Mode.SWALLOW, 2.0), (Mode.REFUSE, 0.4)):
        faults.mode = mode
        began = time.monotonic()
        with pytest.raises(CarrierFailed) as failed:
            node.open(timeout=0.5)
        assert failed.value.code == "link-broker-away" and time.monotonic() - began < longest
    faults.mode = Mode.PASS
    node.open()
    node.close()
    assert faults.accepted == 3


# --- crowds and floods ----------------------------------------------------------------------------------------------


def test_fifty_nodes_that_return_at_once_all_come_in(broker: RealBroker) -> None:
    with controller(broker) as ear, ExitStack() as nodes:
        for number in range(50):
            node = nodes.enter_context(connected(broker, f"n-{number}"))
            node.subscribe([(f"archipel/1/00/n-{number}/down/#", 1)])
            assert node.send(said(EVENT, b"%d" % number))
        assert sorted(int(one.payload) for one in heard(ear, 50)) == list(range(50))


def test_the_window_lets_no_more_through_unacknowledged(broker: RealBroker) -> None:
    with connected(broker, NODE) as node:
        broker.pause()
        taken = [node.send(said(EVENT, qos=1)) for _ in range(25)]
        assert taken == [True] * 20 + [False] * 5 and node.unsent() == 20
        broker.resume()
        began = time.monotonic()
        assert node.receive(10) == () and time.monotonic() - began < 9  # there is room again
        assert node.send(said(EVENT, qos=1))
        assert settled(node) == []


@pytest.mark.parametrize("kind", BROKERS, ids=lambda kind: kind.name)
def test_a_slow_listener_costs_the_broker_no_memory_without_end_and_the_speakers_nothing(
    kind: type[RealBroker], tmp_path: Path
) -> None:
    if missing := kind.missing():
        pytest.skip(missing)
    with kind(tmp_path, extra=SMALL_QUEUE[kind.name]) as broker:
        slow = broker.carrier("controller", manual_ack=True)
        slow.open()
        slow.subscribe([(topics.ALL_UP, 1)])
        with connected(broker, NODE) as node:
            for number in range(1000):
                while not node.send(said(EVENT, b"%5d" % number + b"x" * 20_000)):
                    assert node.receive(5) == ()
            assert settled(node) == []  # every single one was acknowledged
            assert broker.memory() < 200 << 10
            came: list[int] = []
            end = None
            while batch := slow.receive(0.5):
                came += [int(one.payload[:5]) for one in batch if isinstance(one, Incoming)]
                end = end or next((one for one in batch if isinstance(one, Lost)), None)
            assert came == list(range(len(came))) and len(came) < 1000
            assert (end is not None) == (FULL_QUEUE[kind.name] == "the connection is ended")
            slow.open()
            slow.subscribe([(topics.ALL_UP, 1)])
            assert node.send(said(EVENT, b"afterwards"))
            assert heard(slow)[-1].payload == b"afterwards"
            slow.close()
