"""The tables. A change here needs a migration beside it; a test compares the two.

Whatever belongs to a customer carries the customer, and every query for somebody is bound to it. Times are milliseconds
since 1970 UTC by the controller's clock. Bodies (payloads, states) are in tables with a row id of their own on SQLite: in
one clustered by its key they would cost three times the space.
"""

import sqlalchemy as sa

from archipel_fleet.storage import schema_devices, schema_orders
from archipel_fleet.storage.columns import METADATA as METADATA
from archipel_fleet.storage.columns import flag as _flag
from archipel_fleet.storage.columns import key as _key
from archipel_fleet.storage.columns import number as _number
from archipel_fleet.storage.columns import text as _text
from archipel_fleet.storage.columns import time as _time

DEFAULT_CUSTOMER = "default"


def _summary() -> list["sa.Column[object]"]:
    """Columns that nodes and sites share: contact (`domain.contact.Pulse`), health, and what is wrong."""
    columns = [
        _time("heard"), _time("touch"), _time("calm"), _time("owed"),
        _text("mode", "unknown"),
        _text("contact", "never"), _time("contact_since"),
        _text("health", "unknown"), _time("health_heard"), _time("health_since"),
        _number("problems"), _number("warnings"), _text("worst"),
        _text("codes"),  # of the findings, each between spaces, so that one can be looked for
        _flag("rehearsed"),
    ]  # fmt: skip
    return columns  # type: ignore[return-value]  # columns of several types in one list


meta = sa.Table("meta", METADATA, _key("name"), _text("value"))
customers = sa.Table("customers", METADATA, _key("name"))
accounts = sa.Table(
    "accounts",
    METADATA,
    _key("name"),
    sa.Column("customer", sa.String, nullable=True),  # None sees every customer
    _text("role"),
    _flag("disabled"),
    _text("password"),
)
sessions = sa.Table(
    "sessions", METADATA, _key("digest"), sa.Column("account", sa.String, nullable=False, index=True),
    _number("opened"), _number("ends"),
)  # fmt: skip
listening = sa.Table(
    "listening", METADATA, sa.Column("since", sa.BigInteger, primary_key=True), _number("until")
)

sites = sa.Table(
    "sites",
    METADATA,
    _key("site_id"),
    sa.Column("customer", sa.String, nullable=False, index=True),
    _text("name"),
    *_summary(),
    _number("health_rank"),
    _number("nodes"), _time("nodes_ready"),
    _number("pods"), _number("pods_ready"),
    _text("k3s_versions"), _text("os_names"), _text("agent_versions"),  # one a line, with a line end before and after
)  # fmt: skip

nodes = sa.Table(
    "nodes",
    METADATA,
    _key("node_id"),
    sa.Column("customer", sa.String, nullable=False, index=True),
    sa.Column("site_id", sa.String, nullable=False, index=True),
    _text("name"),
    _text("role", "unknown"),
    *_summary(),
    _flag("speaks"),  # its contact counts for the site's
    _flag("connected"), _number("connection"), _time("lost"), _time("confirmed"),
    _number("every"), _number("grace"),
    _text("hostname"), _text("fingerprint"), _text("boot"), _number("counter"), _number("shard"),
    _text("twin"), _time("twin_at"),  # another machine with this node id: its hostname, and when it last spoke
    _text("clock"), _time("clock_offset"), _time("waiting"),
    _text("k3s_version"), _text("agent_version"), _text("os_name"), _text("model"), _text("architecture"),
    _text("state_hash"), _number("state_epoch"), _number("state_sequence"),
    _number("cluster_term", "-1"), _time("cluster_heard"), _time("nodes_ready"), _number("pods"), _number("pods_ready"),
    _number("told_epoch"), _number("told_sequence"), _time("told_at"),  # the newest event, in the node's own order
    _text("change_to"), _time("change_at"),  # its newest change of health, by its events
)  # fmt: skip

node_states = sa.Table(
    "node_states",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("node_id", sa.String, nullable=False, unique=True),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
)

received = sa.Table(
    "received",
    METADATA,
    _key("node_id"),
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("customer", sa.String, nullable=False),
    _text("done"),  # `sequences.Ranges`: what arrived, was replaced, or is declared lost
    _text("lost"),  # of these, what is declared lost
    _number("top"),  # the largest sequence that is known to exist
    _number("holes"),
    _time("booted"),  # when the boot of this epoch began, if a hello named it
    _time("updated"),
)

events = sa.Table(
    "events",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("node_id", sa.String, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("site_id", sa.String, nullable=False),
    _number("at"), _flag("sure"), _number("received"), _text("kind"),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("node_id", "epoch", "sequence", name="events_once"),
    sa.Index("events_site", "site_id", "at"),
    sa.Index("events_received", "received"),
)  # fmt: skip

gaps = sa.Table(
    "gaps",
    METADATA,
    _key("node_id"),
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),  # OPEN_END for one without a known end
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("site_id", sa.String, nullable=False, index=True),
    _text("reason"), _number("count"),
    sa.Column("received", sa.BigInteger, nullable=False, index=True),
)  # fmt: skip
OPEN_END = (1 << 63) - 1

# One row for each node and hour: its points as lines of `records.METRIC_NAMES`, appended as they come.
metrics = sa.Table(
    "metrics",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("node_id", sa.String, nullable=False),
    sa.Column("hour", sa.BigInteger, nullable=False, index=True),
    _text("points"),
    sa.UniqueConstraint("customer", "node_id", "hour", name="metrics_once"),
)

# Moments at which a site's contact or a node's health became something; spans are made of them when somebody looks.
contact_points = sa.Table(
    "contact_points",
    METADATA,
    _key("site_id"),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("customer", sa.String, nullable=False),
    _text("state"),
)
health_points = sa.Table(
    "health_points",
    METADATA,
    _key("site_id"), _key("node_id"),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("customer", sa.String, nullable=False),
    _text("state"),
)  # fmt: skip

OWNED = (
    sites, nodes, node_states, received, events, gaps, metrics, contact_points, health_points,
    *schema_devices.OWNED, *schema_orders.OWNED,
)  # fmt: skip
"""Every table whose rows belong to a customer through a site or node."""
