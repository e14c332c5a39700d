"""Which site a node belongs to, and what sites are made of their nodes: contact, health, counts. Part of a batch.

A node that names no site is shown as a site of its own, under its node id. Sites come about in the customer of the device
that brings them, else in `default`; a node belongs to its site's customer. What another customer's node said before it came
here stays where it was.
"""

import sqlalchemy as sa

from archipel_contract.names import SITE_ID
from archipel_contract.status import LinkMode
from archipel_fleet.domain import contact, health
from archipel_fleet.domain.summary import text
from archipel_fleet.ports import Arrival
from archipel_fleet.storage import bulk, schema
from archipel_fleet.storage.admitting import customer_of
from archipel_fleet.storage.moving import move_history, remove_state
from archipel_fleet.storage.rows import Node, Site, Summed
from archipel_fleet.storage.working import Held, Working

_POINTS = bulk.upsert(schema.contact_points, ("site_id", "at", "customer", "state"), ("site_id", "at"))


class Places:
    """Creates, moves and sums up; one for each batch."""

    def __init__(self, connection: sa.Connection, working: Working, listened: int | None) -> None:
        self._connection = connection
        self._working = working
        self._listened = listened
        self._settled: set[str] = set()
        self._pulses: dict[str, int] = {}  # site id -> when its contact was last touched
        self._contents: set[str] = set()
        self._changed: set[str] = set()
        self._points: dict[tuple[str, int], tuple[str, int, str, str]] = {}
        self._nodes: dict[str, Node] = {}
        self.claims: dict[str, str] = {}  # node id -> site id that a later message of the batch will claim

    def node(self, arrival: Arrival) -> Node:
        """Return the sender's node, made if it is new; what time alone did to it until now is written down first."""
        if arrival.received > (self._listened or 0):
            self._listened = arrival.received  # who receives, listens
        node = self._working.node(arrival.node_id)
        claimed = getattr(arrival.body, "site_id", "")
        if node is None:
            node = Node(node_id=arrival.node_id)
            self._enter(node, _checked(claimed or self.claims.get(node.node_id, "")), "")
            node.name = text(getattr(arrival.body, "node_name", "")) or node.node_id
        if node.site_id not in self._settled:
            self._settled.add(node.site_id)
            self._settle(node.site_id, arrival.received)
        if node.node_id not in self._nodes:
            self._nodes[node.node_id] = node
            self._written(node, arrival.received)
        if claimed:
            self.belongs(node, claimed, getattr(arrival.body, "site_name", ""), arrival)
            role, name = getattr(arrival.body, "role", ""), text(getattr(arrival.body, "node_name", ""))
            node.role, node.name = str(role) or node.role, name or node.name
        elif hasattr(arrival.body, "node_name"):
            node.name = text(arrival.body.node_name) or text(arrival.body.hostname) or node.name
            self._name(node, "")
        return node

    def belongs(self, node: Node, site_id: str, site_name: str, arrival: Arrival) -> None:
        """Note that a node says it is part of a site; an empty id says nothing."""
        site_id = _checked(site_id)
        if site_id and site_id != node.site_id:
            self._move(node, site_id, arrival)
        self._name(node, text(site_name))

    def pulse_changed(self, node: Node, at: int) -> None:
        """Note that the node's contact is to be judged anew."""
        self._pulses[node.site_id] = at

    def content_changed(self, node: Node) -> None:
        """Note that something of the node changed that its site's page shows."""
        self._contents.add(node.site_id)

    def seen(self, node: Node) -> None:
        """Note that the node's charts changed."""
        self._changed.add(node.site_id)

    def sum_up(self) -> frozenset[str]:
        """Make every touched site anew of its nodes; return the ids of those of which something shown changed."""
        for node in self._nodes.values():
            self._written(node, self._pulses.get(node.site_id, node.heard or 0))
        for site_id in self._contents:
            held = self._working.held(site_id)
            if held is not None:
                _contents(held)
                self._working.site_changed(held.site)
        for site_id, at in self._pulses.items():
            held = self._working.held(site_id)
            if held is not None:
                for node in _pulse(held):
                    self._working.node_changed(node)
                self._judged(held.site, at)
                self._working.site_changed(held.site)
        bulk.write(self._connection, _POINTS, list(self._points.values()))
        return frozenset(self._contents | self._changed)

    # --- coming and moving -------------------------------------------------------------------------------------------

    def _enter(self, node: Node, site_id: str, name: str) -> Held:
        home = site_id or node.node_id
        self._working.load_sites(self._connection, [home])
        held = self._working.held(home) or self._working.add_site(self._new_site(home, name, node))
        node.customer = held.site.customer
        self._working.place(node, home)
        self._contents.add(home)
        return held

    def _new_site(self, site_id: str, name: str, node: Node) -> Site:
        customer = customer_of(self._connection, node.node_id)
        return Site(site_id=site_id, name=name or site_id, customer=customer)

    def _move(self, node: Node, site_id: str, arrival: Arrival) -> None:
        before, customer = node.site_id, node.customer
        self._enter(node, site_id, "")
        if site_id not in self._settled:
            self._settled.add(site_id)
            self._settle(site_id, arrival.received)
        was_alone = before == node.node_id
        if node.customer != customer:
            remove_state(self._connection, node)
        self._working.flush_epochs(self._connection, node)
        move_history(self._connection, node, before, site_id, arrival.received, was_alone)
        self._pulses[site_id] = arrival.received
        left = self._working.held(before)
        if left is not None and was_alone and not left.nodes:
            self._connection.execute(sa.delete(schema.sites).where(schema.sites.c.site_id == before))
            self._connection.execute(
                sa.delete(schema.contact_points).where(schema.contact_points.c.site_id == before)
            )
            self._points = {key: row for key, row in self._points.items() if key[0] != before}
            self._working.remove_site(before)
            self._changed.add(before)
        elif left is not None:
            self._contents.add(before)
            self._pulses[before] = arrival.received

    def _name(self, node: Node, name: str) -> None:
        held = self._working.held(node.site_id)
        if held is None:
            return
        wanted = node.name if node.site_id == node.node_id else name
        if wanted and wanted != held.site.name:
            held.site.name = wanted
            self._contents.add(node.site_id)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _settle(self, site_id: str, now: int) -> None:
        held = self._working.held(site_id)
        if held is not None:
            self._judged(held.site, now)

    def _judged(self, site: Site, now: int) -> None:
        if self._written(site, now):
            since = site.contact_since if site.contact_since is not None else now
            self._points[site.site_id, since] = (site.site_id, since, site.customer, site.contact)
            self._contents.add(site.site_id)
            self._working.site_changed(site)

    def _written(self, one: Summed, now: int) -> bool:
        """Write down the contact at `now`; return whether it changed."""
        state = contact.judge(one.pulse, self._listened, now)
        if state == one.contact:
            return False
        one.contact_since = contact.changed_at(one.pulse, state, self._listened, now)
        one.contact = str(state)
        return True


def _checked(site_id: str) -> str:
    return site_id if SITE_ID.fullmatch(site_id) else ""


def _pulse(held: Held) -> list[Node]:
    """Make a site's pulse of those that speak for it: its servers; all of its nodes while it has no server.

    Returns the nodes of which it changed whether they speak.
    """
    nodes = list(held.nodes.values())
    servers = any(node.role == "server" for node in nodes)
    changed = [node for node in nodes if node.speaks != (node.role == "server" or not servers)]
    for node in changed:
        node.speaks = not node.speaks
    speaking = [node for node in nodes if node.speaks]
    held.site.pulse = contact.best(node.pulse for node in speaking)
    newest = max(speaking, key=lambda node: node.heard or 0, default=None)
    held.site.mode = newest.mode if newest is not None else str(LinkMode.UNKNOWN)
    return changed


def _contents(held: Held) -> None:
    site, nodes = held.site, list(held.nodes.values())
    last = health.of_site(node.last_health for node in nodes)
    site.health, site.health_heard, site.health_since = str(last.health), last.heard, last.since
    site.health_rank = health.RANK[last.health]
    site.nodes = len(nodes)
    site.rehearsed = any(node.rehearsed for node in nodes)
    site.problems = sum(node.problems for node in nodes)
    site.warnings = sum(node.warnings for node in nodes)
    gravest = max(
        nodes, key=lambda node: (node.problems > 0, node.warnings > 0, bool(node.worst)), default=None
    )
    site.worst = gravest.worst if gravest is not None else ""
    site.codes = _joined({code for node in nodes for code in node.codes.split()}, " ")
    site.k3s_versions = _joined({node.k3s_version for node in nodes}, "\n")
    site.os_names = _joined({node.os_name for node in nodes}, "\n")
    site.agent_versions = _joined({node.agent_version for node in nodes}, "\n")
    speaker = max(nodes, key=lambda node: (node.cluster_term, node.cluster_heard or 0), default=None)
    if speaker is not None and speaker.cluster_term >= 0:
        site.nodes_ready, site.pods, site.pods_ready = speaker.nodes_ready, speaker.pods, speaker.pods_ready


def _joined(words: set[str], sign: str) -> str:
    """Return the words with `sign` between, before and behind them, so that one can be looked for."""
    found = sorted(words - {""})
    return f"{sign}{sign.join(found)}{sign}" if found else ""
