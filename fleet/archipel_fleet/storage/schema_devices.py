"""The tables of devices: the registry, requests that wait, certificates issued, tokens, and what happened.

Part of `schema.METADATA`. Keys are the text of a public key; serial numbers hexadecimal digits.
"""

import sqlalchemy as sa

from archipel_fleet.storage.columns import METADATA, flag, key, number, text, time


def _what_it_says() -> list["sa.Column[object]"]:
    """Columns that registry and requests share: what the device says of itself."""
    columns = [
        text("site_id"), text("site_name"), text("hostname"), text("model"), text("fingerprint"), flag("rehearsed"),
    ]  # fmt: skip
    return columns  # type: ignore[return-value]  # columns of several types in one list


devices = sa.Table(
    "devices",
    METADATA,
    key("node_id"),
    sa.Column("customer", sa.String, nullable=False),
    *_what_it_says(),
    text("state", "active"),
    text("name"),
    sa.Column("key_id", sa.String, nullable=False, server_default="", index=True),
    text("public"),
    sa.Column("next_key_id", sa.String, nullable=False, server_default="", index=True),
    text("next_public"),
    text("serial"), time("issued"), time("not_after"),  # of its newest certificate
    time("first_seen"), time("last_seen"),
    text("approval"), text("approved_by"), text("token"),
    sa.Index("devices_named", "customer", "name", unique=True),
    sa.Index("devices_site", "site_id"),
)  # fmt: skip

device_requests = sa.Table(
    "device_requests",
    METADATA,
    key("node_id"),
    key("key_id"),
    sa.Column("customer", sa.String, nullable=False, index=True),
    *_what_it_says(),
    text("state", "pending"),
    text("public"),
    sa.Column("claim", sa.String, nullable=False, index=True),
    text("token"), text("approval"), text("approved_by"), text("code"),
    number("first_seen"), number("last_seen"),
)  # fmt: skip

device_certificates = sa.Table(
    "device_certificates",
    METADATA,
    key("serial"),
    sa.Column("node_id", sa.String, nullable=False, index=True),
    sa.Column("customer", sa.String, nullable=False),
    text("key_id"), number("issued"), number("not_after"), text("pem"),
    sa.Column("revoked", sa.BigInteger, nullable=True, index=True),
)  # fmt: skip

device_events = sa.Table(
    "device_events",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("node_id", sa.String, nullable=False, index=True),
    sa.Column("customer", sa.String, nullable=False),
    text("code"), text("detail"), text("actor"), number("times", "1"),
)  # fmt: skip

enrolment_tokens = sa.Table(
    "enrolment_tokens",
    METADATA,
    key("token_id"),
    text("digest"), text("made_by"), number("made"), number("expires"),
    number("uses", "1"), number("uses_left", "1"), text("rule", "approve"),
    text("site_id"), text("customer"), text("label"),
)  # fmt: skip

OWNED = (devices, device_requests, device_certificates, device_events)
