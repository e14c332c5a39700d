"""A line that is kept between calls, over real brokers and a network that forgets it without telling anybody."""

from pathlib import Path

import pytest

from archipel_agent.link import calls
from archipel_contract.link.messages import LinkPlan
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.status import LinkMode, LinkState
from tests.agent.link.nodes import NODE, ListeningController, note, real_link, report, soon
from tests.brokers import guarded as guarded_brokers
from tests.brokers.guarded import GuardedBroker
from tests.brokers.proxy import FaultProxy, Mode
from tests.brokers.servers import RealBroker

pytestmark = [pytest.mark.broker, pytest.mark.real_process]
LONGEST_KEEPALIVE = 65_535
KNOWN = guarded_brokers.NODE  # with a certificate


def test_calls_share_a_line_until_the_way_forgets_it_and_then_nothing_is_lost(
    broker: RealBroker,
    faults: FaultProxy,
    listening: ListeningController,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "KEPT_ANSWER_SECONDS", 0.5)
    known, plan = listening.scripted, LinkPlan(mode=LinkMode.DIAL_IN, every=1)

    def carrier() -> MqttCarrier:
        return MqttCarrier(faults.url, NODE, keepalive=LONGEST_KEEPALIVE)

    with real_link(tmp_path, broker, carrier=carrier, plan=plan) as link:
        link.note(report())
        soon(lambda: len(known.hellos) >= 2 and link.status().state is LinkState.PLANNED_QUIET)
        link.tell(note("on the line that was kept"))
        soon(lambda: "on the line that was kept" in known.texts())
        assert {one.connection for one in known.hellos} == {1} and faults.accepted == 1

        faults.mode = Mode.SWALLOW
        link.tell(note("into the dark"))
        soon(lambda: faults.accepted == 2)
        faults.mode = Mode.PASS
        faults.cut()  # whoever is in the dark still
        soon(lambda: "into the dark" in known.texts())
        soon(lambda: link.status().state is LinkState.PLANNED_QUIET and link.status().waiting == 0)
    assert known.records.gaps == []


def test_brokers_allow_the_longest_keepalive_and_leave_a_silent_line_alone(guarded: GuardedBroker) -> None:
    node = guarded.carrier(KNOWN, keepalive=LONGEST_KEEPALIVE)
    node.open()
    assert node.receive(2.0) == ()
    node.subscribe([(f"archipel/1/37/{KNOWN}/down/#", 0)])
    node.close()
