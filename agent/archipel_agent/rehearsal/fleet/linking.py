"""Gives a rehearsed machine its agent and link: those of a real node, with a gate in front of the carrier.

With a link to enrol by, each node makes a key of its own, enrols over the real HTTPS and takes orders; what it keeps of that
are real files below its root, because TLS reads files.
"""

from dataclasses import replace

from archipel_agent.compose import WayIn
from archipel_agent.core import Core
from archipel_agent.host.disk import SystemDisk
from archipel_agent.link.link import LinkParts
from archipel_agent.linking import FleetLink
from archipel_agent.rehearsal.fleet.gate import Gate
from archipel_agent.rehearsal.fleet.node import RehearsedNode
from archipel_agent.rehearsal.fleet.orders import Order
from archipel_agent.rehearsal.fleet.scenario import Special
from archipel_agent.rehearsal.fleet.setup import Machine
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store
from archipel_contract.status import LinkStatus

FIRST_SPREAD = 1.0  # seconds; sites are set up one after the other, which spreads them already


class GatedLink:
    """Implements node.Linked: the link of one agent, and its way into the fleet if it is to enrol."""

    def __init__(self, core: Core, settings: Settings, gate: Gate, enrol: str) -> None:
        """Begin to connect, or to enrol by the link `enrol` where that has not been done."""
        self._core = core
        self._way_in: WayIn | None = None
        if enrol:
            self._way_in = core.way_in = WayIn(core, settings, SystemDisk())
            keeper = self._way_in.keeper
            if keeper is None or not keeper.identity.has_certificate:
                self._way_in.invite(enrol, again=False)

        def gated(parts: LinkParts) -> LinkParts:
            gate.guard(parts.carrier())
            return replace(parts, carrier=lambda: gate, first_spread=FIRST_SPREAD)

        self._link = FleetLink(core, settings, self._way_in, gated)
        self._link.start()

    def look(self) -> None:
        """See node.Linked."""
        if self._way_in is not None:
            self._way_in.look()
        self._link.look()

    def status(self) -> LinkStatus:
        """See node.Linked."""
        return self._core.link_status()

    def stop(self) -> None:
        """See node.Linked."""
        if self._way_in is not None:
            self._way_in.stop()
        self._link.stop()


def cast(machine: Machine, order: Order, special: Special) -> RehearsedNode:
    """Return the node, not started yet."""
    settings = replace(
        Settings(),
        interval=order.interval,
        broker=order.broker,
        link_mode=special.mode,
        link_every=special.every,
        metrics_every=order.metrics_every,
    )

    def linked(core: Core, store: Store, gate: Gate) -> GatedLink:
        return GatedLink(core, settings, gate, order.enrol)

    return RehearsedNode(machine, settings, linked, special.silent)
