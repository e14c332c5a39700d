"""The link's own thread over MQTT and real brokers, with a small controller behind them."""

import threading
from pathlib import Path

import pytest

from archipel_agent.link import link as link_module
from archipel_contract.link import topics
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.status import Health, LinkState
from tests.agent.link.nodes import NODE, ListeningController, MemoryFacts, note, real_link, report, soon
from tests.brokers.servers import RealBroker

pytestmark = [pytest.mark.broker, pytest.mark.real_process]


def test_what_happens_and_what_is_reaches_the_controller(
    broker: RealBroker, listening: ListeningController, tmp_path: Path
) -> None:
    known = listening.scripted
    with real_link(tmp_path, broker) as link:
        link.note(report())
        soon(lambda: bool(known.records.state) and link.status().state is LinkState.CONNECTED)
        link.note(report(Health.UNHEALTHY))
        soon(lambda: known.records.state["health"] == "unhealthy")
        link.tell(*(note(str(number)) for number in range(200)))
        soon(lambda: {str(number) for number in range(200)} <= set(known.texts()))
        soon(lambda: link.status().waiting == 0)
        assert {one.type for one in known.heard} >= {"presence", "hello", "full", "delta", "event"}
    soon(lambda: bool(known.presences) and not known.presences[-1].connected)
    assert known.records.gaps == []


def test_what_happened_while_nobody_listened_is_told_afterwards(broker: RealBroker, tmp_path: Path) -> None:
    facts = MemoryFacts()
    with real_link(tmp_path, broker, facts=facts) as link:
        link.note(report())
        link.tell(note("while the controller was away"))
        soon(lambda: link.status().state is LinkState.UNANSWERED)
    one = ListeningController(broker)
    one.start()
    try:
        with real_link(tmp_path, broker, facts=facts) as link:
            link.note(report())
            soon(lambda: "while the controller was away" in one.scripted.texts())
            soon(lambda: link.status().waiting == 0)
    finally:
        one.stop()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # it is let die on purpose
def test_a_defect_in_the_conversation_and_even_the_end_of_its_thread_do_not_end_the_link(
    mosquitto: RealBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defects: list[BaseException] = [RuntimeError("a defect"), SystemExit()]
    monkeypatch.setattr(link_module, "DEFECT_SECONDS", 0.01)

    def carrier() -> MqttCarrier:
        if defects:
            raise defects.pop(0)
        return MqttCarrier(mosquitto.url, NODE)

    one = ListeningController(mosquitto)
    one.start()
    try:
        with real_link(tmp_path, mosquitto, carrier=carrier) as link:
            link.note(report())
            soon(lambda: not defects)
            soon(lambda: "link" not in {thread.name for thread in threading.enumerate()})
            link.note(report(Health.UNHEALTHY))
            soon(lambda: one.scripted.records.state.get("health") == "unhealthy")
    finally:
        one.stop()


def test_a_broker_that_is_started_again_is_found_again(mosquitto: RealBroker, tmp_path: Path) -> None:
    with real_link(tmp_path, mosquitto) as link:
        one = ListeningController(mosquitto)
        one.scripted.spread = 0.1
        one.start()
        link.note(report())
        soon(lambda: link.status().state is LinkState.CONNECTED)
        one.stop()
        mosquitto.kill()
        soon(lambda: link.status().state is LinkState.AWAY)
        assert link.status().code == "link-broker-away"
        link.tell(note("in the dark"))
        mosquitto.start()
        again = ListeningController(mosquitto)
        again.start()
        try:
            soon(lambda: "in the dark" in again.scripted.texts(), 15.0)
        finally:
            again.stop()


def test_a_node_that_becomes_a_site_moves_to_the_sites_shard_and_its_old_presence_is_gone(
    mosquitto: RealBroker, tmp_path: Path
) -> None:
    site = "s-0000000000000000"
    before, after = topics.shard_of("", NODE), topics.shard_of(site, NODE)
    assert before != after
    with real_link(tmp_path, mosquitto) as link:
        link.note(report())
        soon(lambda: link.status().state is LinkState.UNANSWERED)
        link.note(report(site_id=site))
        first, second = ListeningController(mosquitto, "first"), ListeningController(mosquitto, "second")
        moved = topics.up(after, NODE, topics.Up.PRESENCE)
        first.start()
        try:
            soon(lambda: moved in first.scripted.topics)
            second.start()
            try:
                soon(lambda: moved in second.scripted.topics)
                assert topics.up(before, NODE, topics.Up.PRESENCE) not in second.scripted.topics
            finally:
                second.stop()
        finally:
            first.stop()
