"""Whatever is sent again, and wherever the power goes: an order is done at most once, and its result is said."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from archipel_contract.link.envelope import Frame
from archipel_contract.link.messages import KINDS
from tests.agent.remote.hands import Hands
from tests.fakes.power import PowerCut
from tests.fakes.trust import FakeFleet

FLEET = FakeFleet()
CUT = st.none() | st.integers(1, 8)  # at which instant from now on the power goes


def instants() -> int:
    """Return how many instants an order has at which the power can go."""
    hands = Hands()
    hands.power.crash_at(None)
    hands.hear(hands.command())
    hands.work()
    return hands.power.count


@pytest.mark.parametrize("again", [False, True], ids=["alone", "sent again"])
def test_a_power_cut_anywhere_leaves_an_order_done_at_most_once_and_answered(again: bool) -> None:
    for number in range(1, instants() + 1):
        hands = Hands(FakeFleet())
        frame = hands.command()
        hands.power.crash_at(number)
        with pytest.raises(PowerCut):
            hands.hear(frame)
            hands.work()
        hands.come_back()
        hands.work()
        if again:
            hands.hear(frame)
            hands.work()
        outcomes = {outcome for _, outcome, _ in hands.link.outcomes()}
        assert hands.agent.done[1] <= 1
        assert outcomes in ({"done"}, {"interrupted"}, {"done"} if again else set()), f"instant {number}"
        if outcomes == {"done"}:
            assert hands.agent.done[1] == 1


def test_what_was_cut_off_is_answered_as_interrupted_and_not_done_when_it_comes_again() -> None:
    hands = Hands()
    frame = hands.command()
    hands.hear(frame)
    hands.power.crash_at(2)  # it is being done
    with pytest.raises(PowerCut):
        hands.work()
    hands.come_back()
    hands.work()
    hands.hear(frame)
    hands.work()
    assert set(hands.link.outcomes()) == {("c-0000000000000001", "interrupted", "order-interrupted")}
    assert hands.agent.done[1] == 1


def test_a_repeated_order_is_answered_with_its_result_and_not_done_again() -> None:
    hands = Hands()
    frame = hands.command()
    for _ in range(5):
        assert hands.hear(frame) == ""
        hands.work()
    assert hands.agent.done[1] == 1
    assert hands.link.outcomes() == [("c-0000000000000001", "done", "")] * 2  # once more in this connection
    hands.desk.begin()
    hands.hear(frame)
    hands.work()
    assert len(hands.link.outcomes()) == 3


class Orders(RuleBasedStateMachine):
    """A fleet that orders, a broker that repeats and reorders, a supply that fails."""

    def __init__(self) -> None:
        super().__init__()
        FLEET.counter = 0
        self.hands = Hands(FLEET)
        self.sent: list[Frame] = []

    @rule(fresh=st.booleans(), arrives=st.booleans(), cuts=st.tuples(CUT, CUT))
    def order(self, fresh: bool, arrives: bool, cuts: tuple[int | None, int | None]) -> None:
        """The fleet orders something, with the nonce or without; often it arrives and is begun at once."""
        nonce = self.hands.hello().nonce if fresh else ""
        frame = self.hands.command(nonce=nonce)
        self.sent.append(frame)
        if arrives:
            self._powered(lambda: self.hands.hear(frame), cuts[0])
            self._powered(self.hands.desk.worker.step, cuts[1])

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), cut=CUT)
    def deliver(self, data: st.DataObject, cut: int | None) -> None:
        """The broker delivers any of what was ever sent."""
        frame = data.draw(st.sampled_from(self.sent))
        self._powered(lambda: self.hands.hear(frame), cut)

    @rule(steps=st.integers(1, 4), cut=CUT)
    def work(self, steps: int, cut: int | None) -> None:
        """Remote hands go on for a while."""

        def some() -> None:
            for _ in range(steps):
                self.hands.desk.worker.step()

        self._powered(some, cut)

    @rule()
    def restart(self) -> None:
        """The agent ends and starts."""
        self.hands.start()

    @rule(seconds=st.sampled_from([1.0, 60.0, 1500.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes; orders expire."""
        self.hands.clock.advance(seconds)

    def _powered(self, act: Callable[[], object], cut: int | None) -> None:
        """Do something during which the power may go."""
        self.hands.power.crash_at(cut)
        try:
            act()
        except PowerCut:
            self.hands.come_back()
        self.hands.power.crash_at(None)

    def teardown(self) -> None:
        """In the end everything that was sent comes once more."""
        self.hands.work()
        for frame in self.sent:
            self.hands.hear(frame)
        self.hands.work()
        assert all(count <= 1 for count in self.hands.agent.done.values())
        said: dict[str, set[str]] = {}
        for order, outcome, _ in self.hands.link.outcomes():
            said.setdefault(order, set()).add(outcome)
        assert all(len(outcomes - {"refused"}) <= 1 for outcomes in said.values()), said
        for number in self.hands.agent.done:
            assert said[f"c-{number:016d}"] & {"done", "interrupted"}


def test_at_most_once_under_any_order_of_repetitions_restarts_and_power_cuts() -> None:
    run_state_machine_as_test(Orders, settings=_settings(30, 20))


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_at_most_once_under_very_many_orders_of_events() -> None:
    run_state_machine_as_test(Orders, settings=_settings(1500, 60))


def _settings(examples: int, steps: int) -> settings:
    checks: Sequence[HealthCheck] = list(HealthCheck)
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
    )


def test_an_order_that_cannot_be_kept_is_not_done() -> None:
    hands = Hands()
    frame = hands.command()
    hands.power.crash_at(1)
    with pytest.raises(PowerCut):
        hands.desk.ordered(KINDS["command"], frame)
    hands.come_back()
    hands.work()
    assert not hands.agent.done
