"""One process of a rehearsal: up to a hundred nodes, their turns one after the other in its only thread of its own.

Started by the stage as `python -m archipel_agent.rehearsal.fleet.process`; takes its order and then acts from standard
input, reports on standard output, and ends in order when the input ends, which it also does when the stage dies.
"""

import gc
import heapq
import io
import logging
import os
import resource
import select
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from archipel_agent.host.clock import SystemClock
from archipel_agent.ports import Clock
from archipel_agent.rehearsal.fleet import acts
from archipel_agent.rehearsal.fleet.acts import Act
from archipel_agent.rehearsal.fleet.linking import cast
from archipel_agent.rehearsal.fleet.node import RehearsedNode
from archipel_agent.rehearsal.fleet.orders import News, NodeView, Order, act_from, order_from, to_line
from archipel_agent.rehearsal.fleet.plan import share, site
from archipel_agent.rehearsal.fleet.scenario import Special
from archipel_agent.rehearsal.fleet.setup import Machine, SetupFailed, set_up
from archipel_agent.state.database import StateUnusable
from archipel_contract.status import LinkMode

LOG = logging.getLogger(__name__)
STACK_BYTES = (
    512 << 10
)  # of a link's thread; the default of 8 MiB is only reserved, but a hundred of them are looked at
LEAVING_AT_ONCE = 16
REPORT_SECONDS = 0.5
ORDER_SECONDS = 60.0
INPUT, OUTPUT = 0, 1


Casting = Callable[[Machine, Order, Special], RehearsedNode]


class Company:
    """The nodes of one process."""

    def __init__(self, order: Order, clock: Clock, casting: Casting) -> None:
        """Nothing is set up yet; `casting` gives a machine its agent and link."""
        self._order = order
        self._clock = clock
        self._casting = casting
        self._special = {one.site: one for one in order.special}
        self._nodes: dict[str, RehearsedNode] = {}
        self._expected: dict[str, bool] = {}
        self._turns: list[tuple[float, str]] = []
        self._told: dict[str, NodeView] = {}

    def enter(self) -> Iterator[News]:
        """Set one site up after the other and start its agents; yields after each. Raises SetupFailed, StateUnusable."""
        for number in range(self._order.first, self._order.last + 1):
            self._enter(number)
            yield self.news()
        gc.collect()
        gc.freeze()  # what lives now lives to the end; without this every collection would look at a hundred machines

    def _enter(self, number: int) -> None:
        order = self._order
        planned = site(order.seed, number, order.nodes)
        special = self._special.get(planned.name, Special(site=planned.name))
        if special.k3s:
            planned = replace(planned, k3s_version=special.k3s)
        machines = set_up(planned, Path(order.root) / "nodes", self._clock, order.pace)
        for machine in machines:
            node = self._casting(machine, order, special)
            self._nodes[node.name] = node
            self._expected[node.name] = not special.silent and special.mode == LinkMode.ALWAYS_ON.value
            if special.clock:
                node.make(acts.CLOCK, special.clock)
            for fault in special.faults:
                node.make(fault)
            node.start()
            first = order.interval * share(planned.seed, node.name, "turn")
            heapq.heappush(self._turns, (self._clock.monotonic() + first, node.name))

    def take_turns(self) -> float:
        """Take the turns that are due; return how many seconds until the next."""
        while self._turns and self._turns[0][0] <= self._clock.monotonic():
            due, name = heapq.heappop(self._turns)
            try:
                self._nodes[name].turn()
            except Exception:  # the task boundary: a defect in one node's turn must not end a hundred
                LOG.exception("a turn of %s has a defect; the next one tries again", name)
            again = max(due + self._order.interval, self._clock.monotonic())
            heapq.heappush(self._turns, (again, name))
        return max(0.0, self._turns[0][0] - self._clock.monotonic()) if self._turns else REPORT_SECONDS

    def do(self, act: Act) -> None:
        """Make or heal a trouble at those of the named nodes that are here."""
        for name in act.where:
            node = self._nodes.get(name)
            if node is not None and act.heal:
                node.heal(act.what)
            elif node is not None:
                node.make(act.what, act.to)

    def news(self) -> News:
        """Return what has changed since it was last asked."""
        views = {name: self._view(name, node) for name, node in self._nodes.items()}
        changed = {name: view for name, view in views.items() if self._told.get(name) != view}
        self._told = views
        return News(set_up=len(self._nodes), nodes=changed)

    def _view(self, name: str, node: RehearsedNode) -> NodeView:
        report = node.report
        away = {acts.CUT, acts.POWER_CUT} & node.troubles
        return NodeView(
            on=node.is_on,
            link=node.link().state.value if node.is_on else "",
            health=report.health.value if report is not None else "",
            troubles=tuple(sorted(node.troubles)),
            connections=node.connections,
            failures=node.failures,
            expected=self._expected[name] and not away,
        )

    def leave(self) -> None:
        """Switch every agent off in order."""
        with ThreadPoolExecutor(LEAVING_AT_ONCE) as leaving:  # each waits for its broker, should that be away
            for _ in leaving.map(RehearsedNode.stop, self._nodes.values()):
                pass


class Wings:
    """Where the stage is heard and spoken to: standard input and output, read without a buffer that could hide a line."""

    def __init__(self) -> None:
        """Nothing has been heard."""
        self._rest = b""
        self._output = io.FileIO(OUTPUT, "w", closefd=False)
        self.is_over = False

    def heard(self, seconds: float) -> list[str]:
        """Return the lines that came, waiting up to `seconds` for the first."""
        if self.is_over or not select.select([INPUT], [], [], max(0.0, seconds))[0]:
            return []
        said = os.read(INPUT, 1 << 16)
        self.is_over = not said
        *lines, self._rest = (self._rest + said).split(b"\n")
        return [line.decode() for line in lines]

    def say(self, news: News) -> None:
        """Tell the stage."""
        try:
            self._output.write(to_line(news).encode() + b"\n")
        except BrokenPipeError:
            self.is_over = True


def play(company: Company, wings: Wings, clock: Clock) -> None:
    """Play until the stage has had enough."""
    try:
        for news in company.enter():
            wings.say(news)
            company.take_turns()
            _listen(company, wings, 0.0)
            if wings.is_over:
                return
    except (SetupFailed, StateUnusable, OSError) as error:
        wings.say(News(failed=str(error)))
        return
    reported = clock.monotonic()
    while not wings.is_over:
        _listen(company, wings, min(company.take_turns(), REPORT_SECONDS))
        if clock.monotonic() - reported >= REPORT_SECONDS:
            reported = clock.monotonic()
            news = company.news()
            if news.nodes:
                wings.say(news)


def _listen(company: Company, wings: Wings, seconds: float) -> None:
    for line in wings.heard(seconds):
        company.do(act_from(line))


def main() -> int:
    """Take the order and play it."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each node has two databases and a connection
    threading.stack_size(STACK_BYTES)
    wings, clock = Wings(), SystemClock()
    lines: list[str] = []
    while not lines and not wings.is_over:
        lines = wings.heard(ORDER_SECONDS)
    if not lines:
        return 0
    company = Company(order_from(lines[0]), clock, cast)
    try:
        play(company, wings, clock)
    finally:
        company.leave()
    return 0


if __name__ == "__main__":
    sys.exit(main())
