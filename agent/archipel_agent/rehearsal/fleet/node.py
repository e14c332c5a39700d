"""A rehearsed node with its agent: switched on and off, its link cut and healed, its clock set wrong, its faults made.

The agent is the real one: state, core, turns and link. All calls come from one thread; the link has one of its own.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from archipel_agent import clocks
from archipel_agent.core import Core
from archipel_agent.rehearsal.fleet import acts
from archipel_agent.rehearsal.fleet.gate import Gate
from archipel_agent.rehearsal.fleet.setup import Machine
from archipel_agent.settings import Settings
from archipel_agent.state.database import Database
from archipel_agent.state.store import Store
from archipel_contract.status import LinkStatus, Report

LOG = logging.getLogger(__name__)
UNSET = datetime(1970, 1, 1, tzinfo=UTC)


class Linked(Protocol):
    """A link that runs."""

    def look(self) -> None:
        """Have done what is due: enrolling, opening the link; called before each turn."""
        ...

    def status(self) -> LinkStatus:
        """Return how it stands."""
        ...

    def stop(self) -> None:
        """Hang up and end its thread."""
        ...


LinkMaker = Callable[[Core, Store, Gate], Linked]


@dataclass(slots=True, kw_only=True)
class _Agent:
    database: Database
    core: Core
    link: Linked | None = None


class RehearsedNode:
    """One machine of the rehearsal."""

    def __init__(self, machine: Machine, settings: Settings, linked: LinkMaker, silent: bool = False) -> None:
        """Nothing runs yet; `silent` keeps its link from ever starting."""
        self.name = machine.plan.name
        self.troubles: set[str] = set()
        self.report: Report | None = None
        self._machine = machine
        self._gate = Gate(machine.base)
        self._settings = settings
        self._linked = linked
        self._silent = silent
        self._agent: _Agent | None = None

    @property
    def is_on(self) -> bool:
        """Whether its agent runs."""
        return self._agent is not None

    def start(self) -> None:
        """Switch on: state, core, link, and a first turn. Raises StateUnusable."""
        machine = self._machine
        database = Database(machine.paths.database)
        clocks.begin(Store(database), None)
        core = Core(
            machine.rehearsal.ports, machine.paths, self._settings, machine.plan.node_id, Store(database)
        )
        self._agent = _Agent(database=database, core=core)
        self._set_synchronized()
        if not self._silent:
            self._agent.link = self._linked(core, Store(database), self._gate)
        self.turn()

    def turn(self) -> None:
        """Take a turn, if it is on."""
        if self._agent is not None:
            if self._agent.link is not None:
                self._agent.link.look()
            self.report = self._agent.core.turn()

    def link(self) -> LinkStatus:
        """Return how its link stands."""
        link = self._agent.link if self._agent is not None else None
        return link.status() if link is not None else LinkStatus()

    @property
    def connections(self) -> int:
        """How many connections of its link were accepted."""
        return self._gate.connections

    @property
    def failures(self) -> tuple[tuple[float, str], ...]:
        """The last attempts to connect that failed over a link that was not cut: when, by this machine's clock, and why."""
        return tuple(self._gate.failures)

    def stop(self) -> None:
        """Switch the agent off in order; the machine stays."""
        agent, self._agent = self._agent, None
        self._gate.give_up()
        if agent is not None:
            if agent.link is not None:
                agent.link.stop()
            agent.database.close()

    def make(self, what: str, to: str = "") -> None:
        """Make a trouble; nothing happens if it is there already, but a clock is set anew."""
        if what in self.troubles and what != acts.CLOCK:
            return
        self.troubles.add(what)
        if what == acts.CUT:
            self._gate.shut()
        elif what == acts.POWER_CUT:
            self._lose_power()
        elif what == acts.CLOCK:
            self._set_wrong(to)
        else:
            self._machine.rehearsal.world.inject(what)

    def heal(self, what: str) -> None:
        """Take a trouble back, if it is there."""
        if what not in self.troubles:
            return
        self.troubles.discard(what)
        if what == acts.CUT:
            if acts.POWER_CUT not in self.troubles:
                self._gate.unbar()
        elif what == acts.POWER_CUT:
            self._come_back()
        elif what == acts.CLOCK:
            self._machine.clock.go_right()
            self._set_synchronized()
        else:
            self._machine.rehearsal.world.heal(what)

    def _lose_power(self) -> None:
        world = self._machine.rehearsal.world
        self._gate.shut()
        self.stop()
        world.settle()
        world.lose_power()
        self._machine.disk.lose_power(self._machine.paths.runtime)
        self._machine.rehearsal.ports.kube.close()
        self.report = None

    def _come_back(self) -> None:
        self._machine.rehearsal.world.boot()
        if acts.CUT not in self.troubles:
            self._gate.unbar()
        self.start()

    def _set_wrong(self, to: str) -> None:
        error, clock = acts.clock_error(to), self._machine.clock
        clock.go_right()
        clock.go_wrong(UNSET - clock.now() if error.offset is None else error.offset, error.drift)
        self._set_synchronized()

    def _set_synchronized(self) -> None:
        """A clock that something disciplines is never wrong for long, so a wrong one has lost its time server."""
        self._machine.rehearsal.world.state.synchronized = self._machine.clock.is_right
