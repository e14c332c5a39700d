"""The rows a batch works on: read where they are not held from an earlier batch, written once at the end.

Holds a bounded number of whole sites with their nodes, and of epochs, between batches. After a failed transaction nothing
that is held can be believed, so all of it goes (`forget`).
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from archipel_fleet.storage import bulk, schema
from archipel_fleet.storage.rows import (
    EPOCH_COLUMNS,
    NODE_COLUMNS,
    SITE_COLUMNS,
    Epoch,
    Node,
    Site,
    epoch_from,
    node_from,
    node_row,
    site_from,
    site_row,
)

HELD_SITES = 4096
HELD_EPOCHS = 16384

_NODES = bulk.upsert(schema.nodes, NODE_COLUMNS, ("node_id",))
_SITES = bulk.upsert(schema.sites, SITE_COLUMNS, ("site_id",))
_EPOCHS = bulk.upsert(schema.received, EPOCH_COLUMNS, ("node_id", "epoch"))
EpochKey = tuple[str, int]


@dataclass(slots=True)
class Held:
    """A site with its nodes."""

    site: Site
    nodes: dict[str, Node] = field(default_factory=dict)


class Working:
    """Sites, nodes and epochs by id, with what changed since the last `flush`."""

    def __init__(self) -> None:
        self._sites: OrderedDict[str, Held] = OrderedDict()
        self._site_of: dict[str, str] = {}
        self._epochs: OrderedDict[EpochKey, Epoch] = OrderedDict()
        self._changed_nodes: dict[str, Node] = {}
        self._changed_sites: dict[str, Site] = {}
        self._changed_epochs: dict[EpochKey, Epoch] = {}

    def forget(self) -> None:
        """Drop everything, changed or not."""
        self.__init__()  # type: ignore[misc]  # the same empty start as at first

    def load(self, connection: sa.Connection, node_ids: Iterable[str], epochs: Iterable[EpochKey]) -> None:
        """Hold these nodes (as far as there are any), the whole of their sites, and these epochs."""
        unknown = {one for one in node_ids if one not in self._site_of}
        if unknown:
            rows = bulk.select(connection, schema.nodes, ("node_id", "site_id"), "node_id", unknown)
            self.load_sites(connection, {row[1] for row in rows})
        wanted = {key for key in epochs if key not in self._epochs}
        if wanted:
            owners = {node_id for node_id, _ in wanted}
            for row in bulk.select(connection, schema.received, EPOCH_COLUMNS, "node_id", owners):
                one = epoch_from(row)
                if (one.node_id, one.epoch) not in self._epochs:
                    self._epochs[one.node_id, one.epoch] = one

    def load_sites(self, connection: sa.Connection, site_ids: Iterable[str]) -> None:
        """Hold these sites with their nodes, as far as there are any."""
        missing = [one for one in set(site_ids) if one not in self._sites]
        for row in bulk.select(connection, schema.sites, SITE_COLUMNS, "site_id", missing):
            site = site_from(row)
            self._sites[site.site_id] = Held(site)
        for row in bulk.select(connection, schema.nodes, NODE_COLUMNS, "site_id", missing):
            node = node_from(row)
            if node.site_id in self._sites:
                self._sites[node.site_id].nodes[node.node_id] = node
                self._site_of[node.node_id] = node.site_id

    def node(self, node_id: str) -> Node | None:
        """Return a node that is held."""
        site_id = self._site_of.get(node_id)
        return None if site_id is None else self._sites[site_id].nodes.get(node_id)

    def held(self, site_id: str) -> Held | None:
        """Return a site that is held."""
        found = self._sites.get(site_id)
        if found is not None:
            self._sites.move_to_end(site_id)
        return found

    def add_site(self, site: Site) -> Held:
        """Hold a new site."""
        self._sites[site.site_id] = Held(site)
        self._changed_sites[site.site_id] = site
        return self._sites[site.site_id]

    def place(self, node: Node, site_id: str) -> None:
        """Put a node, new or from another site, into a site that is held."""
        before = self._site_of.get(node.node_id)
        if before is not None and before in self._sites:
            self._sites[before].nodes.pop(node.node_id, None)
        node.site_id = site_id
        self._sites[site_id].nodes[node.node_id] = node
        self._site_of[node.node_id] = site_id
        self._changed_nodes[node.node_id] = node

    def remove_site(self, site_id: str) -> None:
        """Let go of a site that is removed from the database."""
        self._sites.pop(site_id, None)
        self._changed_sites.pop(site_id, None)

    def epoch(self, node: Node, epoch: int) -> Epoch:
        """Return what is known of one epoch of a node, new if nothing is."""
        key = (node.node_id, epoch)
        found = self._epochs.get(key)
        if found is None:
            found = self._epochs[key] = Epoch(node_id=node.node_id, epoch=epoch, customer=node.customer)
        return found

    def node_changed(self, node: Node) -> None:
        """Write this node at the next flush."""
        self._changed_nodes[node.node_id] = node

    def site_changed(self, site: Site) -> None:
        """Write this site at the next flush."""
        self._changed_sites[site.site_id] = site

    def epoch_changed(self, epoch: Epoch) -> None:
        """Write this epoch at the next flush."""
        self._changed_epochs[epoch.node_id, epoch.epoch] = epoch

    def flush_epochs(self, connection: sa.Connection, node: Node) -> None:
        """Give a node's epochs its customer, and write them; for one that moves."""
        for (node_id, _), epoch in self._epochs.items():
            if node_id == node.node_id:
                epoch.customer = node.customer
        changed = [key for key in self._changed_epochs if key[0] == node.node_id]
        bulk.write(connection, _EPOCHS, [self._changed_epochs.pop(key).row() for key in changed])

    def flush(self, connection: sa.Connection) -> None:
        """Write what changed, in the connection's transaction."""
        bulk.write(connection, _NODES, [node_row(one) for one in self._changed_nodes.values()])
        bulk.write(connection, _SITES, [site_row(one) for one in self._changed_sites.values()])
        bulk.write(connection, _EPOCHS, [one.row() for one in self._changed_epochs.values()])
        self._changed_nodes, self._changed_sites, self._changed_epochs = {}, {}, {}

    def trim(self) -> None:
        """Let go of what was used longest ago, down to the bounds; only between batches."""
        while len(self._sites) > HELD_SITES:
            _, held = self._sites.popitem(last=False)
            for node_id in held.nodes:
                self._site_of.pop(node_id, None)
        while len(self._epochs) > HELD_EPOCHS:
            self._epochs.popitem(last=False)
