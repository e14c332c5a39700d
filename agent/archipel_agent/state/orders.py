"""Commands of the fleet and what came of them, on disk: a command is kept before anything of it is done, its result before
it is said. Used by `remote`.

The counter belongs to one fleet: another one counts anew. A command without a result was in hand when the agent ended.
"""

import base64
import json
from dataclasses import dataclass, replace

from archipel_agent.state.database import Database
from archipel_contract import wire
from archipel_contract.commands import Command, Result

KEPT_COUNT = 50
KEPT_BYTES = 8 << 20  # of results; the newest is kept whatever its size
SAID = -1  # every piece is in the outbox, or beyond
COUNTER, DOCUMENT, LEAVING = "order_counter", "site_desired_fleet", "fleet_leaving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A result as it is kept: `head` without its data, and from which piece on it is to be said (SAID: nothing)."""

    head: Result
    size: int
    said: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDocument:
    """The site document that was last accepted from a fleet: its exact frame, as it came.

    `issued` and `forced` are when the newest of all documents, and the last return to an older generation, were issued: they
    keep what was before that return from being played again, while the fleet may count on from there.
    """

    fleet_id: str
    site_id: str
    generation: int
    frame: bytes
    issued: int = 0
    forced: int = 0


class OrderStore:
    """Typed access to orders in the state database. Every method raises StateUnusable."""

    def __init__(self, database: Database) -> None:
        """Keep everything in `database`."""
        self._database = database
        self._known: frozenset[str] | None = None

    def counter(self, fleet_id: str) -> int:
        """Return the highest counter accepted from a fleet; 0 before the first."""
        return int(self._meta(f"{COUNTER}_{fleet_id}") or 0)

    def known(self) -> frozenset[str]:
        """Return the ids of commands in hand or with a result that is kept."""
        if self._known is None:
            with self._database.reading() as connection:
                self._known = frozenset(row[0] for row in connection.execute("SELECT id FROM orders"))
        return self._known

    def accept(self, command: Command, fleet_id: str) -> None:
        """Keep a command and its counter, both or neither."""
        body = wire.to_json(command).decode()
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO orders (id, command) VALUES (?, ?)", (command.id, body))
            query = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
            connection.execute(query, (f"{COUNTER}_{fleet_id}", str(command.counter)))
        self._known = None

    def unfinished(self) -> tuple[Command, ...]:
        """Return the commands without a result, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT command FROM orders WHERE result = '' ORDER BY number"
            ).fetchall()
        return tuple(wire.from_json(Command, row[0]) for row in rows)

    def finish(self, head: Result, data: bytes, leaves: bool = False) -> None:
        """Keep a result, to be said from its first piece on, and let go of the oldest that were said.

        `leaves`: with it, that this node is to leave its fleet.
        """
        body = wire.to_json(replace(head, data="")).decode()
        with self._database.transaction() as connection:
            query = "UPDATE orders SET result = ?, size = ?, said = 0, data = ? WHERE id = ?"
            connection.execute(query, (body, len(data), data, head.command))
            if leaves:
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (LEAVING, head.command))
            spoken = f"result <> '' AND said = {SAID}"
            connection.execute(
                f"DELETE FROM orders WHERE {spoken} AND number <= (SELECT max(number) FROM orders) - ?",
                (KEPT_COUNT,),
            )
            size = connection.execute("SELECT coalesce(sum(size), 0) FROM orders").fetchone()[0]
            rows = connection.execute(
                f"SELECT id, size FROM orders WHERE {spoken} AND size > 0 ORDER BY number"
            )
            for order, one in rows.fetchall():
                if size <= KEPT_BYTES:
                    break
                connection.execute("UPDATE orders SET data = NULL, size = 0 WHERE id = ?", (order,))
                size -= one
        self._known = None

    def result(self, order: str) -> Kept | None:
        """Return the result of a command; None while it has none, or is not known any more."""
        with self._database.reading() as connection:
            query = "SELECT result, size, said, data IS NULL FROM orders WHERE id = ? AND result <> ''"
            row = connection.execute(query, (order,)).fetchone()
        if row is None:
            return None
        head = wire.from_json(Result, row[0])
        if row[3]:  # of a repeated answer the outcome is left
            head = replace(head, size=0, digest="", pieces=1, cut=True)
        return Kept(head=head, size=row[1], said=row[2])

    def slice(self, order: str, first: int, count: int) -> bytes:
        """Return `count` bytes of a result from `first` on."""
        with self._database.reading() as connection:
            query = "SELECT substr(data, ?, ?) FROM orders WHERE id = ?"
            row = connection.execute(query, (first + 1, count, order)).fetchone()
        return bytes(row[0] or b"") if row is not None else b""

    def unsaid(self) -> tuple[str, ...]:
        """Return the ids of commands whose result is not said to its end, oldest first."""
        with self._database.reading() as connection:
            query = "SELECT id FROM orders WHERE result <> '' AND said >= 0 ORDER BY number"
            return tuple(row[0] for row in connection.execute(query))

    def unsaid_bytes(self) -> int:
        """Return how many bytes of results are not said to their end."""
        with self._database.reading() as connection:
            query = "SELECT coalesce(sum(size), 0) FROM orders WHERE result <> '' AND said >= 0"
            return int(connection.execute(query).fetchone()[0])

    def note_said(self, order: str, piece: int) -> None:
        """Note from which piece on a result is to be said; SAID: nothing of it, 0: all once more."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE orders SET said = ? WHERE id = ?", (piece, order))

    def leaves(self) -> bool:
        """Whether this node was ordered to leave its fleet, and has not left yet."""
        return self._meta(LEAVING) is not None

    def left(self) -> None:
        """It has left."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE name = ?", (LEAVING,))

    def document(self) -> KeptDocument | None:
        """Return the newest site document that was accepted."""
        text = self._meta(DOCUMENT)
        if text is None:
            return None
        kept = json.loads(text)
        return KeptDocument(
            fleet_id=kept["fleet"],
            site_id=kept["site"],
            generation=kept["generation"],
            frame=base64.b64decode(kept["frame"]),
            issued=kept["issued"],
            forced=kept["forced"],
        )

    def keep_document(self, document: KeptDocument) -> None:
        """Keep a site document with its exact bytes, in place of the one before."""
        kept = {
            "fleet": document.fleet_id,
            "site": document.site_id,
            "generation": document.generation,
            "frame": base64.b64encode(document.frame).decode(),
            "issued": document.issued,
            "forced": document.forced,
        }
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (DOCUMENT, json.dumps(kept)))

    def _meta(self, name: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
