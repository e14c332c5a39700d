"""Completion of words the controller knows: names of sites, accounts and customers. Says nothing when it cannot.

Called by typer while somebody presses the tabulator key, so it asks once, briefly, and never complains.
"""

import os

from archipel_contract.catalogue import entries
from archipel_fleet.cli import credentials
from archipel_fleet.cli.stop import Stop

SHOWN = 50


def sites(incomplete: str) -> list[str]:
    """Return names of sites that begin like this."""
    rows = _asked("/sites", text=incomplete, size=SHOWN)
    found = rows.get("rows", []) if isinstance(rows, dict) else []
    return [name for row in found if (name := str(row.get("name", ""))).startswith(incomplete)]


def codes_and_sites(incomplete: str) -> list[str]:
    """Return codes of findings and names of sites that begin like this."""
    return [code for code in entries() if code.startswith(incomplete)] + sites(incomplete)


def customers(incomplete: str) -> list[str]:
    """Return customers that begin like this."""
    return [str(name) for name in _list(_asked("/customers")) if str(name).startswith(incomplete)]


def accounts(incomplete: str) -> list[str]:
    """Return accounts that begin like this."""
    names = [str(row.get("name", "")) for row in _list(_asked("/accounts")) if isinstance(row, dict)]
    return [name for name in names if name.startswith(incomplete)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _asked(path: str, **query: object) -> object:
    from archipel_fleet.cli.client import FleetClient

    try:
        client = FleetClient(credentials.find(None, None, os.environ))
        try:
            return client.get(path, **query)
        finally:
            client.close()
    except Stop:
        return None
