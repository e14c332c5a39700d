"""The first schema. What the columns mean is said in `storage.schema`; this step says only what they were then."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Columns = list["sa.Column[Any]"]
BIG = sa.BigInteger
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> Columns:
    return [sa.Column(name, sa.String, nullable=False, server_default="") for name in names]


def _numbers(*names: str) -> Columns:
    return [sa.Column(name, BIG, nullable=False, server_default="0") for name in names]


def _times(*names: str) -> Columns:
    return [sa.Column(name, BIG, nullable=True) for name in names]


def _flags(*names: str) -> Columns:
    return [sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()) for name in names]


def _needed(kind: Any, *names: str) -> Columns:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _summary() -> Columns:
    return [
        *_times("heard", "touch", "calm", "owed", "contact_since", "health_heard", "health_since"),
        sa.Column("mode", sa.String, nullable=False, server_default="unknown"),
        sa.Column("contact", sa.String, nullable=False, server_default="never"),
        sa.Column("health", sa.String, nullable=False, server_default="unknown"),
        *_numbers("problems", "warnings"),
        *_texts("worst", "codes"),
        *_flags("rehearsed"),
    ]


def _make(name: str, columns: Columns, keys: tuple[str, ...], *more: sa.Constraint) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*keys), *more)


def _index(name: str, *columns: str, called: str = "") -> None:
    op.create_index(called or f"ix_{name}_{columns[0]}", name, list(columns), unique=False)


def _controller() -> None:
    """What belongs to no customer."""
    _make("meta", [*_needed(sa.String, "name"), *_texts("value")], ("name",))
    _make("customers", _needed(sa.String, "name"), ("name",))
    customer = sa.Column("customer", sa.String, nullable=True)
    columns = [*_needed(sa.String, "name"), customer, *_texts("role", "password"), *_flags("disabled")]
    _make("accounts", columns, ("name",))
    _make("sessions", [*_needed(sa.String, "digest", "account"), *_numbers("opened", "ends")], ("digest",))
    _index("sessions", "account")
    _make("listening", [*_needed(BIG, "since"), *_numbers("until")], ("since",))


def _sites() -> None:
    columns = [
        *_needed(sa.String, "site_id", "customer"),
        *_texts("name", "k3s_versions", "os_names", "agent_versions"),
        *_summary(),
        *_numbers("health_rank", "nodes", "pods", "pods_ready"),
        *_times("nodes_ready"),
    ]
    _make("sites", columns, ("site_id",))
    _index("sites", "customer")


def _nodes() -> None:
    columns = [
        *_needed(sa.String, "node_id", "customer", "site_id"),
        sa.Column("role", sa.String, nullable=False, server_default="unknown"),
        *_summary(),
        *_flags("speaks", "connected"),
        *_texts("name", "hostname", "fingerprint", "boot", "twin", "clock", "state_hash", "change_to"),
        *_texts("k3s_version", "agent_version", "os_name", "model", "architecture"),
        *_numbers("connection", "every", "grace", "counter", "shard", "pods", "pods_ready"),
        *_numbers("state_epoch", "state_sequence", "told_epoch", "told_sequence"),
        sa.Column("cluster_term", BIG, nullable=False, server_default="-1"),
        *_times("lost", "confirmed", "twin_at", "clock_offset", "waiting", "cluster_heard", "nodes_ready"),
        *_times("told_at", "change_at"),
    ]
    _make("nodes", columns, ("node_id",))
    _index("nodes", "customer")
    _index("nodes", "site_id")


def _intake() -> None:
    """What the link brings."""
    state = [*_needed(sa.String, "node_id", "customer"), *_needed(sa.LargeBinary, "state")]
    number = sa.Column("id", sa.Integer, autoincrement=True, nullable=False)
    _make("node_states", [number, *state], ("id",), sa.UniqueConstraint("node_id"))
    columns = [*_needed(sa.String, "node_id", "customer"), *_needed(BIG, "epoch"), *_texts("done", "lost")]
    columns += [*_numbers("top", "holes"), *_times("booted", "updated")]
    _make("received", columns, ("node_id", "epoch"))
    columns = [
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        *_needed(sa.String, "node_id", "customer", "site_id"),
        *_needed(BIG, "epoch", "sequence"),
        *_numbers("at", "received"),
        *_flags("sure"),
        *_texts("kind"),
        *_needed(sa.LargeBinary, "payload"),
    ]
    _make("events", columns, ("id",), sa.UniqueConstraint("node_id", "epoch", "sequence", name="events_once"))
    _index("events", "site_id", "at", called="events_site")
    _index("events", "received", called="events_received")
    columns = [*_needed(sa.String, "node_id", "customer", "site_id"), *_numbers("count"), *_texts("reason")]
    _make(
        "gaps", [*columns, *_needed(BIG, "epoch", "first", "last", "received")], ("node_id", "epoch", "first")
    )
    _index("gaps", "site_id")
    _index("gaps", "received")


def _history() -> None:
    columns = [
        sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False),
        *_needed(sa.String, "customer", "node_id"),
        *_needed(BIG, "hour"),
        *_texts("points"),
    ]
    _make(
        "metrics", columns, ("id",), sa.UniqueConstraint("customer", "node_id", "hour", name="metrics_once")
    )
    _index("metrics", "hour")
    columns = [*_needed(sa.String, "site_id", "customer"), *_needed(BIG, "at"), *_texts("state")]
    _make("contact_points", columns, ("site_id", "at"))
    _index("contact_points", "at")
    columns = [
        *_needed(sa.String, "site_id", "node_id", "customer"),
        *_needed(BIG, "at", "epoch", "sequence"),
    ]
    keys = ("site_id", "node_id", "at", "epoch", "sequence")
    _make("health_points", [*columns, *_texts("state")], keys)
    _index("health_points", "at")


def upgrade() -> None:
    """Make every table."""
    _controller()
    _sites()
    _nodes()
    _intake()
    _history()


def downgrade() -> None:
    """Remove every table."""
    for name in (
        "health_points", "contact_points", "metrics", "gaps", "events", "received", "node_states",
        "nodes", "sites", "listening", "sessions", "accounts", "customers", "meta",
    ):  # fmt: skip
        op.drop_table(name)
