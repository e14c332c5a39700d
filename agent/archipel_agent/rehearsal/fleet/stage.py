"""The stage: starts the processes of a rehearsal, tells what happens, directs the scenario and takes commands.

One thread waits for everything: what the processes say, who is at the control door, the time of the next event, and the
signal to stop. It ends the processes in order; they also end when it dies, because their input ends then.
"""

import contextlib
import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from archipel_agent.host.run import Companion
from archipel_agent.ports import Clock
from archipel_agent.rehearsal.fleet import acts
from archipel_agent.rehearsal.fleet.acts import Act, ActInvalid
from archipel_agent.rehearsal.fleet.control import ControlFailed, Door, Visitor
from archipel_agent.rehearsal.fleet.director import Director
from archipel_agent.rehearsal.fleet.orders import NodeView, Order, news_from, to_line
from archipel_agent.rehearsal.fleet.plan import LETTERS, NAME, shares
from archipel_agent.rehearsal.fleet.scenario import LONGEST_SECONDS, FleetScenario
from archipel_contract.status import LinkState

PROCESS = (sys.executable, "-m", "archipel_agent.rehearsal.fleet.process")
GRACE_SECONDS = 20.0  # for a hundred links to say goodbye
CONNECT_SECONDS = 60.0  # after which the scenario begins although not everybody is connected
CONNECTED = (LinkState.CONNECTED.value, LinkState.UNANSWERED.value)

Tell = Callable[[str, dict[str, Any]], None]  # a line for people, and the same as data


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbill:
    """What is played."""

    sites: int
    nodes: int
    seed: int
    broker: str
    enrol: str
    root: Path
    interval: float
    metrics_every: float
    scenario: FleetScenario


class Stage:
    """One rehearsal."""

    def __init__(self, bill: Playbill, clock: Clock, tell: Tell, begun: float) -> None:
        """Nothing runs yet; `begun` is when the command was given, by the clock."""
        self._bill = bill
        self._clock = clock
        self._tell = tell
        self._begun = begun
        self._director = Director(bill.scenario, bill.sites, bill.seed)
        self._views: dict[str, NodeView] = {}
        self._companions: list[tuple[Companion, tuple[int, int]]] = []
        self._made: dict[str, set[str]] = {}  # node -> troubles made and not yet healed
        self._set_up: dict[int, int] = {}  # pid -> nodes
        self._opened: float | None = None  # when everything stood: the scenario's zero
        self._complete: float | None = None  # when the last node was set up
        self._connected = -1
        self._stopping = False
        self._failed = ""

    def play(self) -> str:
        """Play until somebody stops it; return why it failed, empty if it did not. Raises ControlFailed, CommandFailed."""
        with contextlib.ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            door = stack.enter_context(contextlib.closing(Door(self._bill.root)))
            stopped = stack.enter_context(_stop_signals())
            stack.callback(self._end)
            selector.register(door, selectors.EVENT_READ)
            selector.register(stopped, selectors.EVENT_READ)
            self._begin(selector)
            while not self._stopping:
                for key, _ in selector.select(self._pause()):
                    if key.fileobj is door:
                        self._serve(door.admit())
                    elif isinstance(key.fileobj, Companion):
                        self._hear(key.fileobj)
                    else:
                        self._stopping = True
                self._direct()
            return self._failed

    def _begin(self, selector: selectors.BaseSelector) -> None:
        bill = self._bill
        parts = shares(bill.sites, bill.nodes)
        for number, (first, last) in enumerate(parts, start=1):
            companion = Companion(PROCESS, bill.root / f"process-{number}.log")
            self._companions.append((companion, (first, last)))
            selector.register(companion, selectors.EVENT_READ)
            companion.say(to_line(self._order(first, last)))
        processes = f"{len(parts)} process{'es' if len(parts) > 1 else ''}"
        broker = bill.broker or "as the fleet names it"
        self._say(
            f"{bill.sites} sites of {bill.nodes} machines, all simulated, in {processes}; broker {broker}",
            phase="begin",
        )

    def _order(self, first: int, last: int) -> Order:
        bill = self._bill
        return Order(
            first=first,
            last=last,
            nodes=bill.nodes,
            seed=bill.seed,
            broker=bill.broker,
            enrol=bill.enrol,
            root=str(bill.root),
            interval=bill.interval,
            metrics_every=bill.metrics_every,
            pace=bill.scenario.pace,
            special=bill.scenario.special,
        )

    # --- time -------------------------------------------------------------------------------------------------------

    def _pause(self) -> float:
        coming = self._director.next_at
        if self._opened is None or coming is None:
            return 1.0
        return min(1.0, max(0.0, self._opened + coming - self._clock.monotonic()))

    def _direct(self) -> None:
        now = self._clock.monotonic()
        if self._opened is None and self._complete is not None:
            everybody = self._count()[0] == self._count()[1]
            if everybody or now - self._complete > CONNECT_SECONDS:
                self._opened = now
                self._say(
                    "the scenario begins" if self._director.next_at is not None else "everything stands",
                    phase="open",
                )
        if self._opened is None:
            return
        for act in self._director.due(now - self._opened):
            self._do(act)

    def _count(self) -> tuple[int, int, int]:
        """Return how many nodes are connected of those expected to be, how many these are, and how many are answered."""
        expected = [view for view in self._views.values() if view.expected]
        connected = sum(view.link in CONNECTED for view in expected)
        answered = sum(view.link == LinkState.CONNECTED for view in expected)
        return connected, len(expected), answered

    # --- processes ----------------------------------------------------------------------------------------------------

    def _hear(self, companion: Companion) -> None:
        lines = companion.heard()
        if lines is None:
            self._failed = f"a process ended by itself; see the logs in {self._bill.root}"
            self._stopping = True
            return
        for line in lines:
            news = news_from(line)
            if news.failed:
                self._failed, self._stopping = news.failed, True
            self._views.update(news.nodes)
            self._set_up[companion.pid] = news.set_up
        self._progress()

    def _progress(self) -> None:
        total = self._bill.sites * self._bill.nodes
        if self._complete is None and sum(self._set_up.values()) == total:
            self._complete = self._clock.monotonic()
            self._say(f"{total} machines are set up, each with k3s and its agent", phase="set-up")
        connected, expected, answered = self._count()
        if self._complete is not None and connected != self._connected:
            first, self._connected = self._connected < 0, connected
            if connected == expected or first:
                words = f"{connected} of {expected} connected, {answered} answered by a controller"
                self._say(words, phase="connected", connected=connected, expected=expected, answered=answered)

    def _do(self, act: Act) -> None:
        nodes = self._resolved(act.where)
        for name in nodes:
            made = self._made.setdefault(name, set())
            made.discard(act.what) if act.heal else made.add(act.what)
        for companion, (first, last) in self._companions:
            here = tuple(name for name in nodes if first <= _number(name) <= last)
            if here:
                companion.say(to_line(Act(what=act.what, where=here, heal=act.heal, to=act.to)))
        self._say(act.words(), phase="act", what=act.what, where=list(act.where), heal=act.heal)

    def _resolved(self, where: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of all nodes meant; raise ActInvalid."""
        found: list[str] = []
        for name in where:
            nodes = nodes_of(name, self._bill.sites, self._bill.nodes)
            if not nodes:
                raise ActInvalid(
                    f"there is no site or node {name!r}; sites are {NAME.format(number=1)} and so on"
                )
            found += nodes
        return tuple(found)

    def _end(self) -> None:
        if not self._companions:
            return
        self._say("stopping", phase="stop")
        for companion, _ in self._companions:
            companion.let_go()
        until = self._clock.monotonic() + GRACE_SECONDS
        for companion, _ in self._companions:
            companion.end(max(0.5, until - self._clock.monotonic()))
        self._say("everything has ended", phase="end")

    # --- commands -----------------------------------------------------------------------------------------------------

    def _serve(self, visitor: Visitor) -> None:
        try:
            visitor.answer(ok=True, **self._obey(visitor.request()))
        except (ControlFailed, ActInvalid) as error:
            visitor.answer(ok=False, problem=str(error))

    def _obey(self, request: dict[str, Any]) -> dict[str, Any]:
        verb = request.get("verb")
        if verb == "show":
            return self._shown()
        if verb == "stop":
            self._stopping = True
            return {"said": "stopping"}
        if verb not in ("make", "heal"):
            raise ControlFailed(f"there is no verb {verb!r}; there are make, heal, show, stop")
        return {"said": "; ".join(act.words() for act in self._asked(request))}

    def _asked(self, request: dict[str, Any]) -> list[Act]:
        """Do what is asked, and return what was done; heal without `what` heals everything there."""
        heal, where, seconds = request["verb"] == "heal", _names(request), _seconds(request)
        what, to = _text(request, "what"), _text(request, "to")
        names = [what] if what or not heal else self._troubles(self._resolved(where))
        wanted = [acts.checked(Act(what=one, where=where, heal=heal, to=to)) for one in names]
        for act in wanted:
            self._do(act)
            if seconds is not None and not heal:
                zero = self._opened if self._opened is not None else self._clock.monotonic()
                later = self._clock.monotonic() - zero + seconds
                self._director.plan(later, Act(what=act.what, where=where, heal=True))
        return wanted

    def _troubles(self, nodes: tuple[str, ...]) -> list[str]:
        seen = {one for name in nodes if name in self._views for one in self._views[name].troubles}
        return sorted(seen.union(*(self._made.get(name, set()) for name in nodes)))

    def _shown(self) -> dict[str, Any]:
        connected, expected, answered = self._count()
        nodes = {
            name: {"on": view.on, "link": view.link, "health": view.health, "troubles": list(view.troubles)}
            for name, view in sorted(self._views.items())
        }
        return {
            "connections": sum(view.connections for view in self._views.values()),
            "failures": sorted(failed for view in self._views.values() for failed in view.failures),
            "open": self._opened is not None,
            "connected": connected,
            "expected": expected,
            "answered": answered,
            "nodes": nodes,
        }

    def _say(self, words: str, **data: Any) -> None:
        seconds = self._clock.monotonic() - self._begun
        self._tell(
            f"rehearsal {seconds:6.1f} s  {words}", {"seconds": round(seconds, 2), "text": words, **data}
        )


def _text(request: dict[str, Any], name: str) -> str:
    value = request.get(name) or ""
    if not isinstance(value, str):
        raise ControlFailed(f"{name} must be text, not {value!r}")
    return value


def _names(request: dict[str, Any]) -> tuple[str, ...]:
    where = request.get("where") or []
    if not isinstance(where, list) or not all(isinstance(one, str) for one in where):
        raise ControlFailed(f"where must be a list of names, not {where!r}")
    return tuple(where)


def _seconds(request: dict[str, Any]) -> float | None:
    seconds = request.get("seconds")
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < LONGEST_SECONDS:
        raise ControlFailed(f"seconds must be a number above 0, not {seconds!r}")
    return float(seconds)


def nodes_of(name: str, sites: int, nodes: int) -> list[str]:
    """Return the nodes that `name` means: of a site, one node, or `all`; empty for what there is not."""
    every = LETTERS[:nodes]
    if name == acts.EVERYWHERE:
        return [
            f"{NAME.format(number=number)}-{letter}" for number in range(1, sites + 1) for letter in every
        ]
    site, dash, letter = name, "", ""
    if name.count("-") == 2:
        site, dash, letter = name.rpartition("-")
    number = _number(site)
    if (
        not 1 <= number <= sites
        or NAME.format(number=number) != site
        or (dash and letter not in tuple(every))
    ):
        return []
    return [name] if dash else [f"{site}-{one}" for one in every]


def _number(name: str) -> int:
    digits = name.removeprefix(NAME.partition("{")[0]).partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


@contextlib.contextmanager
def _stop_signals() -> Iterator[int]:
    """Give a descriptor that becomes readable with SIGINT or SIGTERM."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handlers = {sign: signal.signal(sign, _noted) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield reading
    finally:
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _noted(number: int, frame: FrameType | None) -> None:
    """The pipe tells."""
