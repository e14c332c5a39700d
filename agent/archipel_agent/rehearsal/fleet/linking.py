"""Gives a rehearsed machine its agent and link: those of a real node, with a gate in front of the carrier."""

from dataclasses import replace

from archipel_agent.core import Core
from archipel_agent.link import making
from archipel_agent.link.link import Link
from archipel_agent.rehearsal.fleet.gate import Gate
from archipel_agent.rehearsal.fleet.node import RehearsedNode
from archipel_agent.rehearsal.fleet.orders import Order
from archipel_agent.rehearsal.fleet.scenario import Special
from archipel_agent.rehearsal.fleet.setup import Machine
from archipel_agent.settings import Settings
from archipel_agent.state.store import Store

FIRST_SPREAD = 1.0  # seconds; sites are set up one after the other, which spreads them already


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

    def linked(core: Core, store: Store, gate: Gate) -> Link:
        parts = making.parts_of(core.node_id, core.ports, core.paths, store, settings)
        gate.guard(parts.carrier())
        made = Link(replace(parts, carrier=lambda: gate, first_spread=FIRST_SPREAD))
        core.link_status, core.when_reported = made.status, made.note
        made.start()
        return made

    return RehearsedNode(machine, settings, linked, special.silent)
