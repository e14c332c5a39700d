"""The desk behind a real link: from the fleet's signature to its result in the fleet's hands, whatever the line does."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from archipel_contract.audit import ChainHead, followed
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.messages import KINDS
from tests.agent.link.nodes import NODE, VirtualNode
from tests.agent.remote.hands import Hands
from tests.fakes.clock import VirtualClock

ORDER = "c-0000000000000001"


class Wired:
    """One node: desk and link over the fake broker. The link's clock is the desk's."""

    def __init__(self, directory: Path) -> None:
        self.hands = Hands()
        self.node = VirtualNode(directory, identity=self.hands.desk)
        self.node.controller.signers = [self.hands.fleet.controller]
        self.hands.desk.start(self.node.link, in_thread=False)
        self.node.start()

    @property
    def clock(self) -> VirtualClock:
        """The link's."""
        return self.node.clock

    def run(self, seconds: float) -> None:
        """Let link and worker live."""
        for _ in range(int(seconds)):
            self.node.run(1.0)
            self.hands.clock.advance(1.0)
            self.hands.desk.worker.step()

    def restart(self) -> None:
        """The agent is killed and starts anew."""
        self.node.kill()
        self.hands.start()
        self.node._identity = self.hands.desk
        self.node.link = self.node._new()
        self.hands.desk.start(self.node.link, in_thread=False)
        self.node.start()


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    made = Wired(tmp_path)
    made.run(40)
    return made


def test_an_order_comes_down_and_its_result_goes_up_signed_and_let_go_of(wired: Wired) -> None:
    controller = wired.node.controller
    controller.say(NODE, "command", wired.hands.command())
    wired.run(20)
    (result,) = controller.results
    assert (result.command, result.outcome) == (ORDER, "done")
    assert wired.node.link.results()[0] == 0
    frames = [
        frame for frame, envelope in zip(controller.frames, controller.heard, strict=True)
        if envelope.type in ("result", "audit", "hello")
    ]  # fmt: skip
    for frame in frames:
        (signature,) = frame.signatures
        wired.hands.keys.signer.public.verify(frame.payload, signature.value)


def test_the_journal_arrives_as_an_unbroken_chain_that_ends_where_the_hello_says(wired: Wired) -> None:
    controller = wired.node.controller
    for _ in range(3):
        controller.say(NODE, "command", wired.hands.command())
        wired.run(20)
    wired.node.broker.cut()
    wired.run(60)
    assert followed(ChainHead(), controller.audit) == controller.hellos[-1].audit
    assert len(controller.audit) == 6


def test_a_result_survives_the_agents_end_before_it_arrived(wired: Wired) -> None:
    controller = wired.node.controller
    wired.node.broker.harm = lambda upwards, message: () if upwards else (0.0,)
    controller.say(NODE, "command", wired.hands.command())
    wired.run(10)
    assert wired.hands.agent.done[1] == 1 and not controller.results
    wired.restart()
    wired.node.heal()
    wired.run(90)
    assert ORDER in {one.command for one in controller.results}
    assert wired.hands.agent.done[1] == 1


def test_a_lossy_repeating_line_has_every_order_done_once_and_answered(wired: Wired) -> None:
    dice = random.Random(7)

    def harm(upwards: bool, message: Outgoing) -> Sequence[float]:
        if dice.random() < 0.3:
            return ()
        return [dice.random() * 5.0] * (1 + (dice.random() < 0.3))

    wired.node.broker.harm = harm
    frames = []
    for number in range(1, 9):
        frames.append(wired.hands.command())
        for _ in range(40):  # the fleet says it again until it has an answer
            if any(one.command == f"c-{number:016d}" for one in wired.node.controller.results):
                break
            wired.node.controller.say(NODE, "command", frames[-1])
            wired.run(10)
    assert set(wired.hands.agent.done.values()) == {1} and len(wired.hands.agent.done) == 8
    outcomes = {(one.command, one.outcome.value) for one in wired.node.controller.results}
    assert {order for order, outcome in outcomes if outcome == "done"} == {f"c-{n:016d}" for n in range(1, 9)}


def test_a_restored_controller_gets_results_and_journal_once_more(wired: Wired) -> None:
    controller = wired.node.controller
    backup = controller.backup()
    controller.say(NODE, "command", wired.hands.command())
    wired.run(20)
    controller.results.clear()
    controller.audit.clear()
    controller.restore(backup)
    wired.run(120)
    assert {one.command for one in controller.results} == {ORDER}
    assert followed(ChainHead(), controller.audit).count == 2


def test_every_kind_of_message_from_above_is_judged(wired: Wired) -> None:
    stranger = [wired.hands.fleet.stranger]
    for kind in ("command", "document", "trust"):
        wired.node.controller.say(NODE, kind, wired.hands.command(signers=stranger))
    wired.run(5)
    assert {one.code for one in wired.node.link.status().orders.refused} == {"message-untrusted"}
    assert sum(one.count for one in wired.node.link.status().orders.refused) == 3
    assert all(KINDS[kind].signed for kind in ("command", "document", "trust", "welcome"))
