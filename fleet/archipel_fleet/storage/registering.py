"""What people change: accounts and their sessions, customers, which site belongs to whom."""

from typing import Any

import sqlalchemy as sa

from archipel_fleet.records import Account, AccountRole
from archipel_fleet.storage import moving, schema
from archipel_fleet.storage.schema import accounts, customers, sessions


def all_accounts(connection: sa.Connection) -> tuple[Account, ...]:
    """Return every account by name."""
    return tuple(_account(row) for row in connection.execute(sa.select(accounts).order_by(accounts.c.name)))


def _account(row: Any) -> Account:
    return Account(
        name=row.name, role=AccountRole(row.role), customer=row.customer, disabled=bool(row.disabled)
    )


def put_account(connection: sa.Connection, account: Account, password_hash: str | None) -> None:
    """Make or change an account, and end its sessions."""
    values: dict[str, Any] = {
        "role": str(account.role),
        "customer": account.customer,
        "disabled": account.disabled,
    }
    if password_hash is not None:
        values["password"] = password_hash
    here = accounts.c.name == account.name
    if connection.execute(sa.select(accounts.c.name).where(here)).first() is None:
        connection.execute(sa.insert(accounts).values(name=account.name, **values))
    else:
        connection.execute(sa.update(accounts).where(here).values(**values))
    connection.execute(sa.delete(sessions).where(sessions.c.account == account.name))


def remove_account(connection: sa.Connection, name: str) -> bool:
    """Remove an account and its sessions; False if there is none."""
    connection.execute(sa.delete(sessions).where(sessions.c.account == name))
    return connection.execute(sa.delete(accounts).where(accounts.c.name == name)).rowcount > 0


def password_hash(connection: sa.Connection, name: str) -> str | None:
    """Return the hash of an account that may log in."""
    found = connection.scalar(
        sa.select(accounts.c.password).where(accounts.c.name == name, accounts.c.disabled.is_(False))
    )
    return found or None


def open_session(connection: sa.Connection, digest: str, name: str, now: int, until: int) -> None:
    """Store a session, and drop those that ended."""
    connection.execute(sa.delete(sessions).where(sa.or_(sessions.c.ends <= now, sessions.c.digest == digest)))
    connection.execute(sa.insert(sessions).values(digest=digest, account=name, opened=now, ends=until))


def session(connection: sa.Connection, digest: str, now: int) -> Account | None:
    """Return the account of a session that lasts."""
    row = connection.execute(
        sa.select(accounts)
        .join(sessions, sessions.c.account == accounts.c.name)
        .where(sessions.c.digest == digest, sessions.c.ends > now, accounts.c.disabled.is_(False))
    ).first()
    return None if row is None else _account(row)


def close_session(connection: sa.Connection, digest: str) -> None:
    """End a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.digest == digest))


def all_customers(connection: sa.Connection) -> tuple[str, ...]:
    """Return the customers, sorted."""
    return tuple(connection.scalars(sa.select(customers.c.name).order_by(customers.c.name)))


def add_customer(connection: sa.Connection, name: str) -> bool:
    """Add a customer; False if it is there."""
    if connection.execute(sa.select(customers).where(customers.c.name == name)).first() is not None:
        return False
    connection.execute(sa.insert(customers).values(name=name))
    return True


def assign(connection: sa.Connection, site_id: str, customer: str) -> bool:
    """Give a site to a customer, and tell every batch path that what it holds is old."""
    if not moving.assign(connection, site_id, customer):
        return False
    meta = schema.meta
    there = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "assignments"))
    connection.execute(
        sa.update(meta).where(meta.c.name == "assignments").values(value=str(int(there or "0") + 1))
    )
    return True
