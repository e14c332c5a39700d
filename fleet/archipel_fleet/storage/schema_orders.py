"""The tables of orders: the queue, results, site documents, what hellos said that matters to orders; and the audit's.

Part of `schema.METADATA`. A frame is kept as the exact bytes that travel; an entry of a journal as the compact JSON its hash
is over.
"""

import sqlalchemy as sa

from archipel_fleet.storage.columns import METADATA, flag, key, number, text, time


def _row_number() -> "sa.Column[int]":
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def _whose() -> list["sa.Column[str]"]:
    """Columns that say whose row it is."""
    return [sa.Column(name, sa.String, nullable=False) for name in ("node_id", "site_id", "customer")]


orders = sa.Table(
    "orders",
    METADATA,
    key("order_id"),
    *_whose(),
    number("counter"), text("action"), text("arguments"), text("state", "queued"),
    text("incarnation"),  # of the database in which it was ordered: a restored one does not know what became of it
    text("asked_by"), text("signed_by"), number("issued"), number("expires"),
    time("sent"), number("sends"), time("ended"),
    text("outcome"), text("code"), text("text"), text("media"), text("name"),
    number("size"), number("pieces"), number("have"), flag("cut"),
    sa.Column("frame", sa.LargeBinary, nullable=False),
    sa.Index("orders_node", "node_id", "state"),
    sa.Index("orders_site", "site_id", "issued"),
    sa.Index("orders_issued", "issued"),
)  # fmt: skip

order_pieces = sa.Table(
    "order_pieces",
    METADATA,
    key("order_id"),
    sa.Column("piece", sa.BigInteger, primary_key=True, autoincrement=False),
    *_whose(),
    sa.Column("received", sa.BigInteger, nullable=False, index=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

order_results = sa.Table(
    "order_results",
    METADATA,
    _row_number(),
    sa.Column("order_id", sa.String, nullable=False, unique=True),
    *_whose(),
    sa.Column("received", sa.BigInteger, nullable=False, index=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# What a node's last hello said that matters to orders, and how far its audit journal is here. Only read together with the
# node's own row, which says whose it is.
standings = sa.Table(
    "standings",
    METADATA,
    key("node_id"),
    number("counter"),  # the highest given out, or accepted by the node
    number("accepted"), number("trust"), number("desired", "-1"), text("nonce"), text("clock"),
    text("veto"), number("certificate_until"),
    text("nonces"),  # the last ones: a hello that comes again says nothing new
    text("incarnation"),  # of the database that heard the hello
    number("chain"), number("audited"), text("audit_hash"),  # of the journal: which, how many entries, the last hash
    text("broken"), time("broken_at"),  # what does not fit in its journal
    text("older"), time("older_at"),  # what it has accepted that this database knows nothing of
)  # fmt: skip

site_documents = sa.Table(
    "site_documents",
    METADATA,
    key("site_id"),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("customer", sa.String, nullable=False),
    text("asked_by"), number("issued"),
    sa.Column("frame", sa.LargeBinary, nullable=False),
)  # fmt: skip

device_audit = sa.Table(
    "device_audit",
    METADATA,
    _row_number(),
    *_whose(),
    number("chain"), number("number"), number("at"), flag("sure"),
    sa.Column("received", sa.BigInteger, nullable=False, index=True),
    text("entry"),
    sa.UniqueConstraint("node_id", "chain", "number", name="device_audit_once"),
    sa.Index("device_audit_site", "site_id", "received"),
)  # fmt: skip

fleet_audit = sa.Table(
    "fleet_audit",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("customer", sa.String, nullable=True),  # None: for those only who see every customer
    text("site_id"), text("node_id"), text("entry"),
    sa.Index("fleet_audit_site", "site_id", "at"),
)  # fmt: skip

OF_NODES = (orders, order_pieces, order_results, device_audit)
"""Tables whose rows are of a node, in the site where it was then."""
OWNED = (*OF_NODES, site_documents)
