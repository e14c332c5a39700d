"""What the fleet has to say about a node's journal and orders, as findings of that node. Called by `details`."""

from collections.abc import Sequence

import sqlalchemy as sa

from archipel_contract import catalogue
from archipel_contract.findings import Finding
from archipel_fleet.records import FindingRow, NodeRow
from archipel_fleet.storage.schema_orders import standings
from archipel_fleet.storage.standing import BROKEN, OLDER

SHOWN = 90 * 86_400_000  # milliseconds for which a break in a journal stands among a node's findings
OLDER_SHOWN = 7 * 86_400_000


def noticed(connection: sa.Connection, shown: Sequence[NodeRow], now: int) -> list[FindingRow]:
    """Return the findings of the fleet about the journals and the orders of nodes."""
    names = {one.node_id: one.name for one in shown}
    found = connection.execute(
        sa.select(standings).where(
            standings.c.node_id.in_(names), sa.or_(standings.c.broken != "", standings.c.older != "")
        )
    )
    made: list[FindingRow] = []
    for one in found:
        kinds = ((BROKEN, one.broken, one.broken_at, SHOWN), (OLDER, one.older, one.older_at, OLDER_SHOWN))
        for code, detail, at, shown_for in kinds:
            if detail and at is not None and now - at < shown_for:
                made.append(_finding(code, one.node_id, names[one.node_id], (detail, at)))
    return made


def _finding(code: str, node_id: str, name: str, said: tuple[str, int]) -> FindingRow:
    finding: Finding = catalogue.finding(code, (), None, node=name, detail=said[0])
    return FindingRow(finding=finding, node_id=node_id, node_name=name, heard=said[1], by_controller=True)
