"""Writing the registry of devices: a request decided and written down, certificates noted, devices ended, tokens kept.

Each function is one step inside the caller's transaction; `enrolling` opens it. Who decides is handed in. Who came in, by
whose word, and who was ended goes into the fleet's audit journal in the same transaction, whoever or whatever did it.
"""

from typing import Any

import sqlalchemy as sa

from archipel_fleet.device_records import (
    Approval,
    CertificateRow,
    Decide,
    Decision,
    DeviceRow,
    DeviceState,
    Known,
    Spoken,
    TokenRow,
    Wanted,
)
from archipel_fleet.domain.device_names import display_name
from archipel_fleet.order_records import Deed
from archipel_fleet.records import EVERYTHING, Scope
from archipel_fleet.storage import auditing, registry, schema
from archipel_fleet.storage.giving_up import give_up
from archipel_fleet.storage.schema_devices import (
    device_certificates,
    device_events,
    device_requests,
    devices,
    enrolment_tokens,
)

DAY = 86_400_000
WAITING_DAYS = (
    14  # after which a request nobody answered is forgotten; the device asks again as long as it wants in
)
TOKEN_DAYS = 90  # after its end
EVENTS_KEPT = 20_000
SAME_EVENT = 3_600_000  # milliseconds within which the same event again is counted
_TURN = 0x6465_7669  # PostgreSQL's advisory lock of those who change the registry: names and tokens are given out in turn


def take_turn(connection: sa.Connection) -> None:
    """Wait until nobody else changes the registry; on SQLite the transaction itself is that."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))


def settle(connection: sa.Connection, wanted: Wanted, decide: Decide, now: int) -> Decision:
    """Decide about a request by what is known, and write down what was decided."""
    take_turn(connection)
    known = _known(connection, wanted)
    decided = decide(wanted, known)
    if decided.spend:
        connection.execute(
            sa.update(enrolment_tokens)
            .where(enrolment_tokens.c.token_id == wanted.token_id)
            .values(uses_left=enrolment_tokens.c.uses_left - 1)
        )
    if decided.admit:
        _admit(connection, _asked(wanted, decided), known.device, now)
        by = {str(decided.approval or "rule"): decided.by, "key": wanted.key_id}
        _did(connection, "device-enrolled", wanted.node_id, by, now)
    if decided.hold:
        _hold(connection, wanted, decided, known.request, now)
    if decided.code:
        happened(connection, wanted.node_id, decided.code, (wanted.hostname, decided.by), now)
    return decided


def _known(connection: sa.Connection, wanted: Wanted) -> Known:
    request = connection.execute(
        sa.select(device_requests).where(
            device_requests.c.node_id == wanted.node_id, device_requests.c.key_id == wanted.key_id
        )
    ).first()
    token = connection.execute(
        sa.select(enrolment_tokens).where(enrolment_tokens.c.token_id == wanted.token_id)
    ).first()
    held = sa.select(sa.func.count()).select_from(device_requests)
    untold = (device_requests.c.token == "", device_requests.c.state == DeviceState.PENDING)
    return Known(
        device=registry.device(connection, wanted.node_id),
        request=None if request is None else registry.request_from(request),
        token=None if token is None else registry.token_from(token),
        voucher=registry.device(connection, wanted.voucher_by) if wanted.voucher_by else None,
        site_customer=_customer_of(connection, wanted.site_id),
        held=connection.scalar(held.where(*untold)) or 0,
    )


def _customer_of(connection: sa.Connection, site_id: str) -> str | None:
    if not site_id:
        return None
    wanted = sa.select(schema.sites.c.customer).where(schema.sites.c.site_id == site_id)
    return connection.scalar(wanted)


def _asked(wanted: Wanted, decided: Decision) -> dict[str, Any]:
    """Return the columns that a request brings to whichever table it goes to."""
    named = {name: getattr(wanted, name) for name in registry.SAID if name != "customer"}
    return named | {
        "customer": decided.customer or schema.DEFAULT_CUSTOMER,
        "key_id": wanted.key_id,
        "public": wanted.public,
        "token": wanted.token_id if decided.approval is Approval.TOKEN else "",
        "approval": str(decided.approval or ""),
        "approved_by": decided.by,
    }


def _admit(connection: sa.Connection, values: dict[str, Any], before: DeviceRow | None, now: int) -> None:
    """Make a device active with a key; what it had with another key is revoked."""
    node_id = values["node_id"]
    own = (device_requests.c.node_id == node_id, device_requests.c.key_id == values["key_id"])
    connection.execute(sa.delete(device_requests).where(*own))
    if before is not None and before.key_id != values["key_id"]:
        _revoke_certificates(connection, node_id, now)
        values = values | {"serial": "", "issued": None, "not_after": None}
    values = values | {"state": DeviceState.ACTIVE, "next_key_id": "", "next_public": "", "last_seen": now}
    if before is not None and before.customer == values["customer"]:
        connection.execute(sa.update(devices).where(devices.c.node_id == node_id).values(**values))
        return
    # Another customer's name for it says nothing to this one.
    connection.execute(sa.delete(devices).where(devices.c.node_id == node_id))
    taken = set(connection.scalars(sa.select(devices.c.name).where(devices.c.customer == values["customer"])))
    values["name"] = display_name(values["hostname"], values["site_name"], node_id, taken)
    connection.execute(sa.insert(devices).values(**values, first_seen=now))


def _revoke_certificates(connection: sa.Connection, node_id: str, now: int) -> None:
    table = device_certificates
    valid = (table.c.node_id == node_id, table.c.revoked.is_(None))
    connection.execute(sa.update(table).where(*valid).values(revoked=now))


def _hold(
    connection: sa.Connection, wanted: Wanted, decided: Decision, before: DeviceRow | None, now: int
) -> None:
    requests = device_requests
    same = (requests.c.node_id == wanted.node_id, requests.c.key_id == wanted.key_id)
    if before is not None and decided.approval is None:
        connection.execute(sa.update(requests).where(*same).values(last_seen=now))
        return
    old = sa.and_(requests.c.last_seen < now - WAITING_DAYS * DAY, requests.c.last_seen > 0)
    connection.execute(sa.delete(requests).where(old))
    values = _asked(wanted, decided) | {
        "state": DeviceState.PENDING,
        "claim": wanted.claim,
        "code": decided.code,
        "first_seen": now if before is None else before.first_seen,
        "last_seen": now,
        "approved_by": "",
    }
    connection.execute(sa.delete(requests).where(*same))
    connection.execute(sa.insert(requests).values(**values))


def approve(connection: sa.Connection, claim: str, by: str, now: int) -> DeviceRow | None:
    """Make a request's device active; None if the request is gone."""
    take_turn(connection)
    row = connection.execute(sa.select(device_requests).where(device_requests.c.claim == claim)).first()
    if row is None:
        return None
    names = (*registry.SAID, "key_id", "public", "token")
    values = {name: getattr(row, name) for name in names}
    values |= {"approval": row.approval or str(Approval.CLAIM), "approved_by": by}
    _admit(connection, values, registry.device(connection, row.node_id), now)
    happened(connection, row.node_id, "device-approved", ("", by), now)
    said = {"claim": claim, "key": row.key_id}
    _did(connection, "device-approved", row.node_id, said, now, by)
    return registry.device(connection, row.node_id)


def refuse(connection: sa.Connection, claim: str, by: str, now: int) -> bool:
    """Refuse a request; False if it is gone."""
    row = connection.execute(sa.select(device_requests).where(device_requests.c.claim == claim)).first()
    if row is None:
        return False
    values = {"state": DeviceState.REFUSED, "approved_by": by, "last_seen": now}
    connection.execute(sa.update(device_requests).where(device_requests.c.claim == claim).values(**values))
    happened(connection, row.node_id, "enrol-refused", ("", by), now)
    return True


def issue(connection: sa.Connection, certificate: CertificateRow, public: str, now: int) -> bool:
    """Write a certificate down; False if its device is not active."""
    row = connection.execute(
        sa.select(devices).where(devices.c.node_id == certificate.node_id).with_for_update()
    ).first()
    if row is None or row.state != DeviceState.ACTIVE:
        return False
    values: dict[str, Any] = {
        "serial": certificate.serial,
        "issued": certificate.issued,
        "not_after": certificate.not_after,
        "last_seen": now,
    }
    if certificate.key_id != row.key_id:
        values |= {"next_key_id": certificate.key_id, "next_public": public}
    connection.execute(sa.update(devices).where(devices.c.node_id == row.node_id).values(**values))
    names = ("serial", "node_id", "key_id", "issued", "not_after", "pem")
    written = {name: getattr(certificate, name) for name in names}
    connection.execute(sa.insert(device_certificates).values(customer=row.customer, **written))
    if row.not_after is not None and row.not_after < now:
        said = {"key": certificate.key_id, "serial": certificate.serial, "before": row.serial}
        _did(connection, "device-renewed-late", row.node_id, said, now)
    return True


def seen(connection: sa.Connection, spoken: Spoken, now: int) -> None:
    """Note that a device spoke; with its next key, that key takes the place of the one before."""
    row = connection.execute(
        sa.select(devices).where(devices.c.node_id == spoken.node_id).with_for_update()
    ).first()
    if row is None or row.state != DeviceState.ACTIVE or spoken.key_id not in (row.key_id, row.next_key_id):
        return
    values: dict[str, Any] = {"last_seen": now}
    if spoken.key_id == row.next_key_id:
        values |= {"key_id": row.next_key_id, "public": row.next_public, "next_key_id": "", "next_public": ""}
    if spoken.site_id and not row.site_id:
        values["site_id"] = spoken.site_id
    connection.execute(sa.update(devices).where(devices.c.node_id == spoken.node_id).values(**values))


def end(connection: sa.Connection, node_id: str, state: DeviceState, by: str, now: int) -> bool:
    """Revoke or decommission a device with its certificates; False if it is gone, or ended like that already."""
    row = registry.device(connection, node_id, lock=True)
    if row is None or row.state in (state, DeviceState.REVOKED):
        return False
    _revoke_certificates(connection, node_id, now)
    connection.execute(sa.update(devices).where(devices.c.node_id == node_id).values(state=state))
    happened(connection, node_id, f"device-{state}", ("", by), now)
    _did(connection, f"device-{state}", node_id, {"key": row.key_id}, now, by)
    give_up(connection, now, node_id)
    return True


def _did(
    connection: sa.Connection, action: str, node_id: str, said: dict[str, str], now: int, by: str = ""
) -> None:
    """Write into the audit journal what was done to a device, by an account or, where no person did it, by the fleet."""
    row = registry.device(connection, node_id)
    if row is None:
        return
    known = {"device": row.name or row.hostname or node_id, **said}
    deed = Deed(
        actor=f"fleet:{by}" if by else "controller",
        action=action,
        params={name: value for name, value in known.items() if value},
        customer=row.customer or None,
        site_id=row.site_id,
        node_id=node_id,
    )
    auditing.record(connection, deed, now)


def follow(connection: sa.Connection, site_id: str, members: sa.Select[tuple[str]], customer: str) -> None:
    """Give a site's devices to the customer the site was given to; `members` are the node ids that speak as part of it."""
    take_turn(connection)
    theirs = sa.or_(devices.c.site_id == site_id, devices.c.node_id.in_(members))
    rows = connection.execute(sa.select(devices).where(theirs, devices.c.customer != customer)).fetchall()
    taken = set(connection.scalars(sa.select(devices.c.name).where(devices.c.customer == customer)))
    for row in rows:
        name = display_name(row.name, row.site_name, row.node_id, taken)
        taken.add(name)
        here = devices.c.node_id == row.node_id
        connection.execute(sa.update(devices).where(here).values(customer=customer, name=name))
        for table in (device_certificates, device_events):
            connection.execute(
                sa.update(table).where(table.c.node_id == row.node_id).values(customer=customer)
            )
    asked = sa.update(device_requests).where(device_requests.c.site_id == site_id)
    connection.execute(asked.values(customer=customer))


def customer_of(connection: sa.Connection, node_id: str) -> str:
    """Return the customer of a device, to whom a site that comes with it belongs; the default one for any other node."""
    found = connection.scalar(sa.select(devices.c.customer).where(devices.c.node_id == node_id))
    return found or schema.DEFAULT_CUSTOMER


def add_token(connection: sa.Connection, token: TokenRow) -> None:
    """Keep a token; those that ended long ago go."""
    old = enrolment_tokens.c.expires < token.made - TOKEN_DAYS * DAY
    connection.execute(sa.delete(enrolment_tokens).where(old))
    names = (
        "digest", "made_by", "made", "expires", "uses", "site_id", "customer", "label",
    )  # fmt: skip
    values = {name: getattr(token, name) for name in names}
    values |= {"token_id": token.id, "uses_left": token.left, "rule": str(token.rule)}
    connection.execute(sa.insert(enrolment_tokens).values(**values))


def remove_token(connection: sa.Connection, scope: Scope, token_id: str) -> bool:
    """Remove a token; False if there is none in this scope."""
    where = [enrolment_tokens.c.token_id == token_id]
    if scope != EVERYTHING:
        where.append(enrolment_tokens.c.customer == scope.customer)
    return connection.execute(sa.delete(enrolment_tokens).where(*where)).rowcount > 0


def happened(connection: sa.Connection, node_id: str, code: str, said: tuple[str, str], now: int) -> None:
    """Note an event; `said` is its detail and who did it. The same one again within an hour is counted."""
    detail, by = said
    events = device_events
    last = connection.execute(
        sa.select(events)
        .where(events.c.node_id == node_id, events.c.at > now - SAME_EVENT)
        .order_by(events.c.id.desc())
        .limit(1)
    ).first()
    if last is not None and (last.code, last.detail, last.actor) == (code, detail, by):
        again = sa.update(events).where(events.c.id == last.id).values(times=last.times + 1, at=now)
        connection.execute(again)
        return
    owner = sa.select(devices.c.customer).where(devices.c.node_id == node_id)
    asker = sa.select(device_requests.c.customer).where(device_requests.c.node_id == node_id).limit(1)
    customer = connection.scalar(owner) or connection.scalar(asker) or schema.DEFAULT_CUSTOMER
    made = connection.execute(
        sa.insert(events).values(
            at=now, node_id=node_id, customer=customer, code=code, detail=detail[:200], actor=by
        )
    )
    number = (made.inserted_primary_key or (0,))[0]
    connection.execute(sa.delete(events).where(events.c.id <= number - EVENTS_KEPT))
