"""`archipel fleet run`, `orders` and `order`: have nodes do something, see what came of it."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from archipel_contract.commands import Action, Command
from archipel_contract.exits import Exit
from archipel_contract.link.envelope import EnvelopeInvalid, envelope_from
from archipel_contract.wire import WireError, from_data, to_data
from archipel_fleet.cli import complete
from archipel_fleet.cli.client import FleetClient, read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.screen import Mark, Screen, plain
from archipel_fleet.cli.sites import quoted
from archipel_fleet.cli.stop import Stop
from archipel_fleet.order_records import OPEN, OrderRow, OrderState
from archipel_fleet.records import ContactState, NodeRow
from archipel_fleet.web.views import ages
from archipel_fleet.web.views import orders as views

RUN = """\
Have a node, or every node of a site, do something: logs, doctor, support, restart, kubectl, decommission.

Every order is signed, and verified on the node. A silent node does it at its next contact; the command says so at once.
kubectl may get, describe and logs. decommission waits for a second person: archipel fleet order sign.

Examples:

  archipel fleet run berlin logs --lines 500 --wait

  archipel fleet run berlin kubectl get pods -A --wait

  archipel fleet run n-7k2m9qxf04hvd1et restart --expires 12h
"""
ORDERS = """\
List orders, the newest first: of the fleet, of a site or of a node.

Examples:

  archipel fleet orders

  archipel fleet orders berlin --limit 20
"""
ORDER = """\
Show one order and what came of it; cancel one; or sign one as the second person.

A second signature is another account's, with another key than the controller's: one the fleet's root has named.

Examples:

  archipel fleet order c-7k2m9qxf04hvd1et --out logs.txt

  archipel fleet order cancel c-7k2m9qxf04hvd1et

  archipel fleet order sign c-7k2m9qxf04hvd1et --key operator.pem
"""
MARKS = {
    OrderState.WAITING: Mark.WARN,
    OrderState.QUEUED: Mark.CALM,
    OrderState.SENT: Mark.CALM,
    OrderState.RUNNING: Mark.CALM,
    OrderState.DONE: Mark.GOOD,
    OrderState.FAILED: Mark.BAD,
    OrderState.REFUSED: Mark.BAD,
    OrderState.EXPIRED: Mark.WARN,
    OrderState.CANCELLED: Mark.OPEN,
}
VERBS = ("logs", "doctor", "support", "restart", "kubectl", "decommission")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")
Target = Annotated[
    str,
    typer.Argument(metavar="SITE|NODE", help="A site or node, by name or id.", autocompletion=complete.sites),
]


@dataclass(frozen=True, kw_only=True)
class RunOptions(Asking):
    """Options of `run`."""

    target: Target
    action: Annotated[str, typer.Argument(metavar="VERB", help=f"{', '.join(VERBS)}.")]
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help="For kubectl: its own words.", show_default=False)
    ] = field(default_factory=list)
    source: Annotated[str, typer.Option("--source", help="logs: of k3s or agent.")] = "k3s"
    lines: Annotated[int, typer.Option("--lines", min=1, max=2000, help="logs: how many.")] = 200
    wait: Annotated[bool, typer.Option("--wait", help="Wait for what comes of it, and show it.")] = False
    expires: Annotated[
        str, typer.Option("--expires", metavar="7d|12h", help="How long it waits for a silent node.")
    ] = "7d"


@dataclass(frozen=True, kw_only=True)
class OrdersOptions(Asking):
    """Options of `orders`."""

    target: Annotated[
        str,
        typer.Argument(
            metavar="SITE|NODE",
            help="A site, or a node's id.",
            autocompletion=complete.sites,
            show_default=False,
        ),
    ] = ""
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many.")] = 30


@dataclass(frozen=True, kw_only=True)
class OrderOptions(Asking):
    """Options of `order`."""

    word: Annotated[
        str, typer.Argument(metavar="ID|cancel|sign", help="The order's id, or what to do with it.")
    ]
    id: Annotated[
        str, typer.Argument(metavar="ID", help="After cancel and sign: the order's id.", show_default=False)
    ] = ""
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Write what came of it into a new file.")
    ] = ""
    key: Annotated[
        str, typer.Option("--key", metavar="FILE", help="sign: the private key, a file or a token.")
    ] = ""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, "run", RunOptions, run, RUN, foreign_options=True)
    add(app, "orders", OrdersOptions, orders, ORDERS)
    add(app, "order", OrderOptions, order, ORDER)


def run(session: Session[RunOptions]) -> int:
    """Order something."""
    given, client, screen = session.options, session.client, session.screen
    if given.action not in VERBS:
        raise Stop(Exit.USAGE, f"there is no order {given.action!r}; there are {', '.join(VERBS)}")
    wanted = {
        "target": given.target,
        "action": given.action,
        "arguments": _arguments(given),
        "hours": _hours(given.expires),
    }
    raw = client.call("POST", "/orders", json=wanted)
    made = [read(OrderRow, one) for one in raw]
    if not given.wait:
        return _placed(screen, client, made, raw)
    ended = _awaited(client, screen, made)
    if screen.as_json:
        screen.data([_with_result(client, one) for one in ended])
    else:
        for one in ended:
            _line(screen, one, client.now)
            _result(screen, client, one, several=len(ended) > 1)
    return Exit.OK if all(one.state is OrderState.DONE for one in ended) else Exit.NOT_OK


def _arguments(given: RunOptions) -> dict[str, Any]:
    if given.action == Action.KUBECTL:
        return {"arguments": given.words}
    if given.words:
        raise Stop(Exit.USAGE, f"{given.action} takes no further words: {' '.join(given.words)[:80]}")
    if given.action == Action.LOGS:
        return {"source": given.source, "lines": given.lines}
    return {}


def _hours(text: str) -> int:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise Stop(Exit.USAGE, f"--expires {text!r}: say 12h or 7d")
    return int(found[1]) * (24 if found[2] == "d" else 1)


def _placed(screen: Screen, client: FleetClient, made: list[OrderRow], raw: Any) -> int:
    """Say at once what becomes of new orders."""
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    for one in made:
        rows, _ = client.rows(NodeRow, "/nodes", text=one.node_id, size=5)
        node = next((row for row in rows if row.node_id == one.node_id), None)
        screen.line(f"{one.id}  {plain(one.node_name)}: {_prospect(screen, one, node, client.now)}")
    return Exit.OK


def _prospect(screen: Screen, one: OrderRow, node: NodeRow | None, now: int) -> str:
    if one.state is OrderState.WAITING:
        return f"waits for a second signature: archipel fleet order sign {one.id} --key FILE"
    if node is None or node.contact.state is ContactState.CONNECTED:
        return f"ordered; see it with: archipel fleet order {one.id}"
    due = ages.moment(screen.words, node.contact.due, now)
    until = ages.moment(screen.words, one.expires, now)
    when = f", due {due.age}" if due is not None and node.contact.due is not None else ""
    return f"queued; runs at next contact{when}; expires {until.age if until else ''}".rstrip()


def _awaited(client: FleetClient, screen: Screen, made: list[OrderRow]) -> list[OrderRow]:
    """Wait until no order is open any more; each change at its site is a reason to look."""
    found = _looked(client, made)
    if all(one.state not in OPEN for one in found):
        return found
    with client.changes() as changes:
        for _ in changes:
            before, found = found, _looked(client, made)
            for old, new in zip(before, found, strict=True):
                if new.state is not old.state and new.state in OPEN:
                    screen.note(f"{plain(new.node_name)}: {screen.words(f'order.{new.state}')}")
            if all(one.state not in OPEN for one in found):
                break
    return found


def _looked(client: FleetClient, made: list[OrderRow]) -> list[OrderRow]:
    return [client.one(OrderRow, f"/orders/{quoted(one.id)}") for one in made]


def orders(session: Session[OrdersOptions]) -> int:
    """List orders."""
    given, client, screen = session.options, session.client, session.screen
    which = {"node_id": given.target} if given.target.startswith("n-") else {"site": given.target}
    raw = client.get("/orders", limit=given.limit, **which)
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    words = screen.words
    rows = [read(OrderRow, one) for one in raw]
    head = ["ID", *(words(f"column.{key}") for key in ("node", "what", "state", "by", "when"))]
    lines = [((MARKS[one.state],), _cells(screen, one, client.now)) for one in rows]
    screen.table(head, lines, may_split=True)
    return Exit.OK


def _cells(screen: Screen, one: OrderRow, now: int) -> tuple[str, ...]:
    line = views.line(screen.words, one, now)
    state = line.badge.word
    if line.expires is not None:
        state += f", {screen.words('order.until').lower()} {line.expires.age}"
    return (one.id, line.node, line.what, state, line.asked_by, line.issued.age if line.issued else "")


def order(session: Session[OrderOptions]) -> int:
    """Show, cancel or sign an order."""
    given = session.options
    word, order_id = (given.word, given.id) if given.id else ("", given.word)
    if word not in ("", "cancel", "sign"):
        raise Stop(Exit.USAGE, f"an order can be shown, cancelled or signed; there is no {word!r}")
    if word == "cancel":
        done = read(OrderRow, session.client.call("POST", f"/orders/{quoted(order_id)}/cancel"))
        return _shown(session, done)
    if word == "sign":
        return _signed(session, order_id)
    if given.word in ("cancel", "sign"):
        raise Stop(Exit.USAGE, f"which order? archipel fleet order {given.word} ID")
    found = session.client.one(OrderRow, f"/orders/{quoted(order_id)}")
    if given.out:
        _write(Path(given.out), _fetched(session.client, order_id))
        session.screen.note(f"written to {given.out}")
    return _shown(session, found)


def _shown(session: Session[OrderOptions], found: OrderRow) -> int:
    screen, client = session.screen, session.client
    if screen.as_json:
        screen.data(found if session.options.out else _with_result(client, found))
        return Exit.OK
    _line(screen, found, client.now)
    screen.line(f"    {screen.words(f'order.{found.state}-means')}")
    if not session.options.out:
        _result(screen, client, found)
    return Exit.OK


def _line(screen: Screen, one: OrderRow, now: int) -> None:
    line = views.line(screen.words, one, now)
    said = f": {plain(one.text)}" if one.text else ""
    code = f"  ({plain(one.code)})" if one.code else ""
    screen.line(
        f"{screen.mark(MARKS[one.state])} {plain(line.node)}  {plain(line.what)}  {line.badge.word}{said}{code}"
    )


def _result(screen: Screen, client: FleetClient, one: OrderRow, several: bool = False) -> None:
    """Write a result that is text; say where to fetch one that is a file."""
    if not one.size:
        return
    if not one.media.startswith("text/") and one.media != "application/json":
        screen.note(
            f"{one.size} bytes of {plain(one.media)}; fetch them: archipel fleet order {one.id} --out FILE"
        )
        return
    text = _fetched(client, one.id).decode(errors="replace")
    for line in text.splitlines():
        screen.line(f"{plain(one.node_name)}: {plain(line)}" if several else plain(line))


def _with_result(client: FleetClient, one: OrderRow) -> dict[str, Any]:
    said: dict[str, Any] = to_data(one)
    if one.size:
        data = _fetched(client, one.id)
        is_text = one.media.startswith("text/") or one.media == "application/json"
        said["result"] = data.decode(errors="replace") if is_text else base64.b64encode(data).decode()
    return said


def _fetched(client: FleetClient, order_id: str) -> bytes:
    return client.raw(f"/orders/{quoted(order_id)}/result")


def _write(path: Path, data: bytes) -> None:
    from archipel_fleet.host import files

    if path.exists():
        raise Stop(Exit.REFUSED, f"{path} is there already")
    try:
        with files.writing_whole(path) as file:
            file.write(data)
    except OSError as error:
        raise Stop(Exit.FAILED, f"{path} cannot be written: {error.strerror or error}") from error


def _signed(session: Session[OrderOptions], order_id: str) -> int:
    """Show what would be signed, sign exactly those bytes, hand the signature in."""
    client, screen = session.client, session.screen
    if not session.options.key:
        raise Stop(Exit.USAGE, f"with which key? archipel fleet order sign {order_id} --key FILE")
    # What signs loads slowly, and no other command of these needs it.
    from archipel_fleet.cli import keys_dialog
    from archipel_fleet.trust import keyfile

    payload = base64.b64decode(client.call("POST", f"/orders/{quoted(order_id)}/to-sign")["payload"])
    command = _command_in(payload)
    if command.id != order_id:
        raise Stop(Exit.REFUSED, f"the controller gave another order to sign: {plain(command.id)}")
    screen.note(f"signing: {command.action} on {plain(command.node)}, ordered by {plain(command.asked_by)}")
    with keys_dialog.refusals(session):
        signer = keyfile.signer(session.options.key, keys_dialog.passphrase_asker(""))
        signature = signer.sign(payload)
    given = {
        "key_id": signer.key_id,
        "signature": base64.b64encode(signature).decode(),
        "digest": hashlib.sha256(payload).hexdigest(),
    }
    return _shown(
        session, read(OrderRow, client.call("POST", f"/orders/{quoted(order_id)}/signature", json=given))
    )


def _command_in(payload: bytes) -> Command:
    try:
        return from_data(Command, envelope_from(payload).body)
    except (EnvelopeInvalid, WireError) as error:
        raise Stop(Exit.FAILED, f"what the controller gave to sign is no order: {error}") from error
