"""What happens to a node's rows when it comes to another site, and to a site's rows when it gets another customer.

History stays with the site (and so with the customer) in which it happened. The one exception is the time before a node
belonged to any site: that follows it, unless somebody had given it to another customer.
"""

import sqlalchemy as sa

from archipel_fleet.storage import admitting, schema, schema_orders
from archipel_fleet.storage.rows import NODE_COLUMNS, Node

LEFT = ""  # the state of a health point that ends a node's part in a site's health

# What the controller itself knows of a node, and needs wherever it goes; none of it is shown as the node's own words.
KEPT = frozenset({
    "node_id", "customer", "site_id", "speaks", "role", "shard", "fingerprint", "boot", "counter",
    "heard", "touch", "calm", "owed", "mode", "contact", "contact_since", "every", "grace",
    "connected", "connection", "lost", "confirmed", "clock", "clock_offset", "waiting", "rehearsed",
    "told_epoch", "told_sequence", "told_at",
})  # fmt: skip


def remove_state(connection: sa.Connection, node: Node) -> None:
    """Drop what a node said of itself to another customer; it is asked for everything anew."""
    connection.execute(sa.delete(schema.node_states).where(schema.node_states.c.node_id == node.node_id))
    blank = Node(node_id=node.node_id)
    for name in NODE_COLUMNS:
        if name not in KEPT:
            setattr(node, name, getattr(blank, name))


def move_history(
    connection: sa.Connection, node: Node, before: str, site_id: str, at: int, was_alone: bool
) -> None:
    """Bring a node's rows along from site `before` to `site_id`, as far as they may."""
    for table in (schema.received, schema.node_states):
        connection.execute(
            sa.update(table).where(table.c.node_id == node.node_id).values(customer=node.customer)
        )
    if was_alone:
        for owned in (schema.events, schema.gaps, schema.health_points, *schema_orders.OF_NODES):
            connection.execute(
                sa.update(owned)
                .where(
                    owned.c.node_id == node.node_id,
                    owned.c.site_id == before,
                    owned.c.customer == node.customer,
                )
                .values(site_id=site_id)
            )
    else:
        points = schema.health_points
        same = (points.c.site_id == before, points.c.node_id == node.node_id, points.c.at == at)
        connection.execute(sa.delete(points).where(*same))
        connection.execute(
            sa.insert(points).from_select(
                ["site_id", "node_id", "at", "epoch", "sequence", "customer", "state"],
                sa.select(
                    schema.sites.c.site_id, sa.literal(node.node_id), sa.literal(at, sa.BigInteger),
                    sa.literal(0), sa.literal(0), schema.sites.c.customer, sa.literal(LEFT),
                ).where(schema.sites.c.site_id == before),
            )
        )  # fmt: skip


def assign(connection: sa.Connection, site_id: str, customer: str) -> bool:
    """Give a site with all that belongs to it to a customer; False if either is not there."""
    there = connection.scalar(sa.select(schema.customers.c.name).where(schema.customers.c.name == customer))
    site = connection.scalar(sa.select(schema.sites.c.site_id).where(schema.sites.c.site_id == site_id))
    if there is None or site is None:
        return False
    members = sa.select(schema.nodes.c.node_id).where(schema.nodes.c.site_id == site_id)
    former = connection.scalar(sa.select(schema.sites.c.customer).where(schema.sites.c.site_id == site_id))
    if former == customer:
        return True
    for table in (schema.received, schema.node_states):
        connection.execute(sa.update(table).where(table.c.node_id.in_(members)).values(customer=customer))
    # Two rows of one hour cannot be of one customer: what the new one has of these nodes from earlier goes first.
    hours = schema.metrics
    connection.execute(sa.delete(hours).where(hours.c.node_id.in_(members), hours.c.customer == customer))
    connection.execute(
        sa.update(hours)
        .where(hours.c.node_id.in_(members), hours.c.customer == former)
        .values(customer=customer)
    )
    for table in (
        schema.sites,
        schema.nodes,
        schema.events,
        schema.gaps,
        schema.contact_points,
        schema.health_points,
        *schema_orders.OWNED,
        schema_orders.fleet_audit,
    ):
        connection.execute(sa.update(table).where(table.c.site_id == site_id).values(customer=customer))
    admitting.follow(connection, site_id, members, customer)
    return True
