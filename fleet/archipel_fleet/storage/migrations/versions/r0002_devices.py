"""Devices: the registry, requests that wait, certificates, tokens, and what happened. See `storage.schema_devices`."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Columns = list["sa.Column[Any]"]


def _texts(*names: str) -> Columns:
    return [sa.Column(name, sa.String, nullable=False, server_default="") for name in names]


def _numbers(*names: str, default: str = "0") -> Columns:
    return [sa.Column(name, sa.BigInteger, nullable=False, server_default=default) for name in names]


def _times(*names: str) -> Columns:
    return [sa.Column(name, sa.BigInteger, nullable=True) for name in names]


def _needed(*names: str) -> Columns:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _word(name: str, default: str) -> Columns:
    return [sa.Column(name, sa.String, nullable=False, server_default=default)]


def _what_it_says() -> Columns:
    rehearsed = sa.Column("rehearsed", sa.Boolean, nullable=False, server_default=sa.false())
    return [*_texts("site_id", "site_name", "hostname", "model", "fingerprint"), rehearsed]


def _make(name: str, columns: Columns, *keys: str) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*keys))


def _index(name: str, column: str) -> None:
    op.create_index(f"ix_{name}_{column}", name, [column], unique=False)


def upgrade() -> None:
    """Make the tables."""
    columns = [*_needed("node_id", "customer"), *_what_it_says(), *_word("state", "active")]
    columns += _texts("name", "key_id", "public", "next_key_id", "next_public", "serial")
    columns += [*_times("issued", "not_after", "first_seen", "last_seen"), *_texts("approval", "approved_by")]
    _make("devices", [*columns, *_texts("token")], "node_id")
    _index("devices", "key_id")
    _index("devices", "next_key_id")
    op.create_index("devices_named", "devices", ["customer", "name"], unique=True)
    op.create_index("devices_site", "devices", ["site_id"], unique=False)
    columns = [*_needed("node_id", "key_id", "customer"), *_what_it_says(), *_word("state", "pending")]
    columns += [*_texts("public"), *_needed("claim"), *_texts("token", "approval", "approved_by", "code")]
    _make("device_requests", [*columns, *_numbers("first_seen", "last_seen")], "node_id", "key_id")
    _index("device_requests", "customer")
    _index("device_requests", "claim")
    columns = [*_needed("serial", "node_id", "customer"), *_texts("key_id", "pem")]
    columns += [*_numbers("issued", "not_after"), *_times("revoked")]
    _make("device_certificates", columns, "serial")
    _index("device_certificates", "node_id")
    _index("device_certificates", "revoked")
    number = sa.Column(
        "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
    )
    at = sa.Column("at", sa.BigInteger, nullable=False)
    columns = [number, at, *_needed("node_id", "customer"), *_texts("code", "detail", "actor")]
    _make("device_events", [*columns, *_numbers("times", default="1")], "id")
    _index("device_events", "at")
    _index("device_events", "node_id")
    columns = [*_needed("token_id"), *_texts("digest", "made_by", "site_id", "customer", "label")]
    columns += [
        *_numbers("made", "expires"),
        *_numbers("uses", "uses_left", default="1"),
        *_word("rule", "approve"),
    ]
    _make("enrolment_tokens", columns, "token_id")


def downgrade() -> None:
    """Remove them."""
    for name in (
        "enrolment_tokens", "device_events", "device_certificates", "device_requests", "devices",
    ):  # fmt: skip
        op.drop_table(name)
