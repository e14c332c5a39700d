"""`archipel fleet token`, `devices`, `approve` and what else people do about devices: who may enrol, whose key counts."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli import complete
from archipel_fleet.cli.client import read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.screen import Mark
from archipel_fleet.cli.sites import quoted
from archipel_fleet.device_records import Approval, DeviceRow, DeviceState, TokenMade, TokenShown
from archipel_fleet.web.views import ages

NEW = """\
Make a token with which devices enrol, and print the link to type or scan.

The secret is shown only now. With --hold a person has to approve each device as well.

Examples:

  archipel fleet token new

  archipel fleet token new --uses 12 --hours 72 --label shelf-3

  archipel fleet token new --site berlin --hold
"""
LIST = """\
List the tokens; never their secrets.

Examples:

  archipel fleet token list
"""
REMOVE = """\
Remove a token. Devices that came in with it stay.

Examples:

  archipel fleet token remove 7k2m9qxf
"""
DEVICES = """\
List the devices: those that wait for approval, then all others with the end of their certificate.

Examples:

  archipel fleet devices

  archipel fleet devices --pending
"""
APPROVE = """\
Let a device in that waits.

Without a token, and for a node that had another key before, name it by the code on its console: compare it there first.

Examples:

  archipel fleet approve 7k2m-9qxf-04hv

  archipel fleet approve n-7k2m9qxf04hvd1et
"""
REFUSE = """\
Refuse a device that waits. It can be approved later by its code.

Examples:

  archipel fleet refuse 7k2m-9qxf-04hv
"""
RENAME = """\
Give a device another name.

Examples:

  archipel fleet rename raspberrypi-2 gate-3
"""
REVOKE = """\
Heed a device's key no more: stolen, lost, copied. Its connection is cut, and it does not come back by itself.

Examples:

  archipel fleet revoke gate-3
"""
DECOMMISSION = """\
Take a device out of service. With a new key and a new token it may come again.

Examples:

  archipel fleet decommission gate-3
"""
STATE_MARKS = {
    DeviceState.PENDING: Mark.OPEN,
    DeviceState.ACTIVE: Mark.GOOD,
    DeviceState.REVOKED: Mark.BAD,
    DeviceState.DECOMMISSIONED: Mark.CALM,
    DeviceState.REFUSED: Mark.BAD,
}

Waiting = Annotated[
    str,
    typer.Argument(metavar="CODE|NODE", help="The request.", autocompletion=complete.requests),
]
Known = Annotated[
    str,
    typer.Argument(metavar="DEVICE", help="Its name or node id.", autocompletion=complete.devices),
]


@dataclass(frozen=True, kw_only=True)
class NewOptions(Asking):
    """Options of `token new`."""

    uses: Annotated[int, typer.Option("--uses", min=1, help="How many devices may enrol with it.")] = 1
    hours: Annotated[int, typer.Option("--hours", min=1, help="For how many hours.")] = 24
    hold: Annotated[bool, typer.Option("--hold", help="Have a person approve each device as well.")] = False
    site: Annotated[
        str,
        typer.Option("--site", help="Only for devices of this site.", autocompletion=complete.sites),
    ] = ""
    customer: Annotated[
        str,
        typer.Option("--customer", help="Whose devices they become.", autocompletion=complete.customers),
    ] = ""
    label: Annotated[str, typer.Option("--label", help="What it is for.")] = ""


@dataclass(frozen=True, kw_only=True)
class RemoveOptions(Asking):
    """Options of `token remove`."""

    token: Annotated[
        str,
        typer.Argument(metavar="ID", help="The token's id.", autocompletion=complete.tokens),
    ]


@dataclass(frozen=True, kw_only=True)
class DevicesOptions(Asking):
    """Options of `devices`."""

    pending: Annotated[bool, typer.Option("--pending", help="Only those that wait for approval.")] = False
    text: Annotated[str, typer.Option("--text", help="Part of name, host, node id, site or code.")] = ""


@dataclass(frozen=True, kw_only=True)
class RequestOptions(Asking):
    """Options of `approve` and `refuse`."""

    device: Waiting


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Asking):
    """Options of `revoke` and `decommission`."""

    device: Known


@dataclass(frozen=True, kw_only=True)
class RenameOptions(Asking):
    """Options of `rename`."""

    device: Known
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    token = typer.Typer(help="Tokens to enrol devices with.", no_args_is_help=True, rich_markup_mode=None)
    add(token, "new", NewOptions, new_token, NEW)
    add(token, "list", Asking, list_tokens, LIST)
    add(token, "remove", RemoveOptions, remove_token, REMOVE)
    app.add_typer(token, name="token")
    add(app, "devices", DevicesOptions, list_devices, DEVICES)
    add(app, "approve", RequestOptions, approve, APPROVE)
    add(app, "refuse", RequestOptions, refuse, REFUSE)
    add(app, "rename", RenameOptions, rename, RENAME)
    add(app, "revoke", DeviceOptions, revoke, REVOKE)
    add(app, "decommission", DeviceOptions, decommission, DECOMMISSION)


def new_token(session: Session[NewOptions]) -> int:
    """Make a token."""
    given, screen = session.options, session.screen
    wanted = {
        "uses": given.uses,
        "hours": given.hours,
        "rule": "hold" if given.hold else "approve",
        "site": given.site,
        "customer": given.customer,
        "label": given.label,
    }
    raw = session.client.call("POST", "/devices/tokens", json=wanted)
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    made = read(TokenMade, raw)
    words = screen.words
    screen.note(words("device.token-made", uses=made.shown.uses, until=ages.full(made.shown.expires)))
    screen.line(made.link)
    screen.note(words("device.token-alone"))
    screen.line(made.token)
    screen.note(words("device.token-next"))
    screen.note(f"  sudo archipel enrol '{made.link}'")
    if screen.is_terminal:
        screen.line()
        screen.line(code_of(made.link))
    return Exit.OK


def code_of(link: str) -> str:
    """Return a QR code of a link, drawn with characters of half a square each; dark on light on a dark terminal too."""
    import io

    import segno  # loads in some ten milliseconds; only this command needs it

    drawn = io.StringIO()
    segno.make(link, error="m", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue().rstrip("\n")


def list_tokens(session: Session[Asking]) -> int:
    """List tokens."""
    screen, words = session.screen, session.screen.words
    raw = session.client.get("/devices/tokens")
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    now = session.client.now
    rows: list[tuple[tuple[Mark, ...], tuple[str, ...]]] = []
    for one in (read(TokenShown, row) for row in raw):
        good = one.left > 0 and one.expires > now
        ends = ages.moment(words, one.expires, now)
        left = words("device.token-left", left=one.left, uses=one.uses)
        rule = words(f"device.rule-{one.rule}")
        cells = (one.id, left, ends.age if ends else "", rule, one.made_by, one.label)
        rows.append(((Mark.GOOD if good else Mark.CALM,), cells))
    names = ("token", "uses", "ends", "rule", "made-by", "label")
    screen.table([words(f"device.column-{name}") for name in names], rows, may_split=True)
    return Exit.OK


def remove_token(session: Session[RemoveOptions]) -> int:
    """Remove a token."""
    token = session.options.token
    session.client.call("DELETE", f"/devices/tokens/{quoted(token)}")
    return _said(session, {"id": token}, session.screen.words("device.token-removed", token=token))


def list_devices(session: Session[DevicesOptions]) -> int:
    """List devices."""
    given, screen, words = session.options, session.screen, session.screen.words
    state = [str(DeviceState.PENDING)] if given.pending else []
    raw = session.client.get("/devices", state=state or None, text=given.text, size=500)
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    rows = [read(DeviceRow, one) for one in raw["rows"]]
    names = ("name", "state", "claim", "certificate", "approval", "node")
    head = [words(f"device.column-{name}") for name in names]
    now = session.client.now
    screen.table(
        head, [((STATE_MARKS[one.state],), _cells(session, one, now)) for one in rows], may_split=True
    )
    if raw.get("total", 0) > len(rows):
        screen.note(words("page.range", first=1, last=len(rows), total=raw["total"]))
    waiting = [one for one in rows if one.state is DeviceState.PENDING]
    if waiting:
        screen.note(words("device.next-approve"))
        screen.note(f"  archipel fleet approve {waiting[0].claim or waiting[0].node_id}")
    return Exit.OK


def _cells(session: Session[DevicesOptions], one: DeviceRow, now: int) -> tuple[str, ...]:
    words = session.screen.words
    ends = ages.moment(words, one.not_after, now)
    approval = words(f"device.approval-{one.approval}") if one.approval else ""
    by = f"{approval}, {one.approved_by}" if one.approved_by else approval
    return (
        one.name or one.hostname or one.node_id, words(f"device.state-{one.state}"), one.claim,
        ends.age if ends else "", by, one.node_id,
    )  # fmt: skip


def approve(session: Session[RequestOptions]) -> int:
    """Approve a request."""
    raw = _deed(session, session.options.device, "approve")
    row = read(DeviceRow, raw)
    words = session.screen.words
    key = "device.approved-after-claim" if row.approval is Approval.CLAIM else "device.approved"
    return _said(session, raw, words(key, name=row.name))


def refuse(session: Session[RequestOptions]) -> int:
    """Refuse a request."""
    raw = _deed(session, session.options.device, "refuse")
    row = read(DeviceRow, raw)
    return _said(session, raw, session.screen.words("device.refused", name=row.hostname or row.node_id))


def rename(session: Session[RenameOptions]) -> int:
    """Rename a device."""
    given = session.options
    raw = session.client.call("POST", f"/devices/{quoted(given.device)}/rename", json={"name": given.name})
    name = read(DeviceRow, raw).name
    return _said(session, raw, session.screen.words("device.renamed", device=given.device, name=name))


def revoke(session: Session[DeviceOptions]) -> int:
    """Revoke a device."""
    raw = _deed(session, session.options.device, "revoke")
    return _said(session, raw, session.screen.words("device.revoked", name=read(DeviceRow, raw).name))


def decommission(session: Session[DeviceOptions]) -> int:
    """Decommission a device."""
    raw = _deed(session, session.options.device, "decommission")
    return _said(session, raw, session.screen.words("device.decommissioned", name=read(DeviceRow, raw).name))


def _deed(session: Session[Any], device: str, deed: str) -> Any:
    return session.client.call("POST", f"/devices/{quoted(device)}/{deed}")


def _said(session: Session[Any], data: object, said: str) -> int:
    if session.screen.as_json:
        session.screen.data(data)
    else:
        session.screen.line(said)
    return Exit.OK
