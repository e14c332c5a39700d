"""Orders, their results, site documents, audit journals. What the columns mean is said in `storage.schema_orders`."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Columns = list["sa.Column[Any]"]
BIG = sa.BigInteger
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> Columns:
    return [sa.Column(name, sa.String, nullable=False, server_default="") for name in names]


def _numbers(*names: str, default: str = "0") -> Columns:
    return [sa.Column(name, BIG, nullable=False, server_default=default) for name in names]


def _times(*names: str) -> Columns:
    return [sa.Column(name, BIG, nullable=True) for name in names]


def _flags(*names: str) -> Columns:
    return [sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()) for name in names]


def _needed(kind: Any, *names: str) -> Columns:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _whose() -> Columns:
    return _needed(sa.String, "node_id", "site_id", "customer")


def _row_number() -> Columns:
    return [sa.Column("id", ROW_NUMBER, autoincrement=True, nullable=False)]


def _make(name: str, columns: Columns, keys: tuple[str, ...], *more: sa.Constraint) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*keys), *more)


def _orders() -> None:
    columns = [
        *_needed(sa.String, "order_id"), *_whose(), *_numbers("counter", "issued", "expires", "sends"),
        *_texts("action", "arguments", "incarnation", "asked_by", "signed_by"),
        sa.Column("state", sa.String, nullable=False, server_default="queued"),
        *_times("sent", "ended"), *_texts("outcome", "code", "text", "media", "name"),
        *_numbers("size", "pieces", "have"), *_flags("cut"), *_needed(sa.LargeBinary, "frame"),
    ]  # fmt: skip
    _make("orders", columns, ("order_id",))
    op.create_index("orders_node", "orders", ["node_id", "state"], unique=False)
    op.create_index("orders_site", "orders", ["site_id", "issued"], unique=False)
    op.create_index("orders_issued", "orders", ["issued"], unique=False)
    rest = [*_whose(), *_needed(BIG, "received"), *_needed(sa.LargeBinary, "data")]
    pieces = [*_needed(sa.String, "order_id"), *_needed(BIG, "piece"), *rest]
    _make("order_pieces", pieces, ("order_id", "piece"))
    op.create_index("ix_order_pieces_received", "order_pieces", ["received"], unique=False)
    rest = [*_whose(), *_needed(BIG, "received"), *_needed(sa.LargeBinary, "data")]
    results = [*_row_number(), *_needed(sa.String, "order_id"), *rest]
    _make("order_results", results, ("id",), sa.UniqueConstraint("order_id"))
    op.create_index("ix_order_results_received", "order_results", ["received"], unique=False)


def _standings() -> None:
    columns = [
        *_needed(sa.String, "node_id"), *_numbers("counter", "accepted", "trust", "certificate_until"),
        *_numbers("desired", default="-1"), *_texts("nonce", "clock", "veto", "nonces", "incarnation"),
        *_numbers("chain", "audited"), *_texts("audit_hash", "broken", "older"), *_times("broken_at", "older_at"),
    ]  # fmt: skip
    _make("standings", columns, ("node_id",))
    columns = [
        *_needed(sa.String, "site_id", "customer"), *_needed(BIG, "generation"), *_texts("asked_by"),
        *_numbers("issued"), *_needed(sa.LargeBinary, "frame"),
    ]  # fmt: skip
    _make("site_documents", columns, ("site_id", "generation"))


def _audit() -> None:
    columns = [
        *_row_number(), *_whose(), *_numbers("chain", "number", "at"), *_flags("sure"),
        *_needed(BIG, "received"), *_texts("entry"),
    ]  # fmt: skip
    once = sa.UniqueConstraint("node_id", "chain", "number", name="device_audit_once")
    _make("device_audit", columns, ("id",), once)
    op.create_index("ix_device_audit_received", "device_audit", ["received"], unique=False)
    op.create_index("device_audit_site", "device_audit", ["site_id", "received"], unique=False)
    customer = sa.Column("customer", sa.String, nullable=True)
    _make(
        "fleet_audit",
        [*_needed(BIG, "number", "at"), customer, *_texts("site_id", "node_id", "entry")],
        ("number",),
    )
    op.create_index("ix_fleet_audit_at", "fleet_audit", ["at"], unique=False)
    op.create_index("fleet_audit_site", "fleet_audit", ["site_id", "at"], unique=False)


def upgrade() -> None:
    """Make the tables."""
    _orders()
    _standings()
    _audit()


def downgrade() -> None:
    """Remove the tables."""
    for name in (
        "fleet_audit", "device_audit", "site_documents", "standings", "order_results", "order_pieces", "orders",
    ):  # fmt: skip
        op.drop_table(name)
