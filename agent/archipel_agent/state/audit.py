"""The audit journal on disk: appended to and cut at its old end, never changed. Used by `journal`.

The chain's head is kept beside the entries, so that it outlives those that are let go, and an end that was taken away shows.
"""

from archipel_agent.state.database import Database
from archipel_contract import wire
from archipel_contract.audit import ChainHead, Entry, appended

KEPT = 10_000  # entries the fleet has, or would have if there were one
KEPT_AT_MOST = 50_000  # whatever the fleet has: some 15 MB
HEAD, SENT = "audit_head", "audit_sent"


class AuditStore:
    """Typed access to the journal in the state database. Every method raises StateUnusable."""

    def __init__(self, database: Database) -> None:
        """Keep everything in `database`."""
        self._database = database

    def head(self) -> ChainHead:
        """Return where the chain ends."""
        text = self._meta(HEAD)
        return ChainHead() if text is None else wire.from_json(ChainHead, text)

    def append(self, entry: Entry) -> Entry:
        """Link an entry to the chain and keep it; on disk when this returns, as it is returned."""
        with self._database.transaction() as connection:
            made = appended(self.head(), entry)
            connection.execute("INSERT INTO audit VALUES (?, ?)", (made.number, wire.to_json(made).decode()))
            head = wire.to_json(ChainHead(count=made.number, hash=made.hash)).decode()
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (HEAD, head))
            sent = self._meta(SENT)
            spare = made.number - KEPT if sent is None else min(int(sent), made.number - KEPT)
            gone = max(spare, made.number - KEPT_AT_MOST)
            connection.execute("DELETE FROM audit WHERE number <= ?", (gone,))
        return made

    def after(self, number: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` entries beyond `number`, oldest first."""
        with self._database.reading() as connection:
            query = "SELECT body FROM audit WHERE number > ? ORDER BY number LIMIT ?"
            rows = connection.execute(query, (number, limit)).fetchall()
        return tuple(wire.from_json(Entry, row[0]) for row in rows)

    def fleet_has(self, count: int) -> None:
        """Note how many entries the fleet has: of those, the oldest may go."""
        if self._meta(SENT) != str(count):
            with self._database.transaction() as connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (SENT, str(count)))

    def _meta(self, name: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
