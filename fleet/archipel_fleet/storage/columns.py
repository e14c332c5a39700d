"""The kinds of columns all tables are made of, and the metadata they are all part of. Used by the schema's modules only."""

import sqlalchemy as sa

METADATA = sa.MetaData()


def key(name: str, kind: type[sa.types.TypeEngine[str]] = sa.String) -> "sa.Column[str]":
    """Return a column of the primary key."""
    return sa.Column(name, kind, primary_key=True)


def text(name: str, default: str = "") -> "sa.Column[str]":
    """Return a column of text that is never NULL."""
    return sa.Column(name, sa.String, nullable=False, server_default=default)


def number(name: str, default: str = "0") -> "sa.Column[int]":
    """Return a column of 64-bit numbers that is never NULL."""
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=default)


def time(name: str) -> "sa.Column[int | None]":
    """Return a column of times; NULL is not known."""
    return sa.Column(name, sa.BigInteger, nullable=True)


def flag(name: str) -> "sa.Column[bool]":
    """Return a column of truths that is never NULL."""
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
