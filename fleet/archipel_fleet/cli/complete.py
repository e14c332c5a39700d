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


def keys(incomplete: str) -> list[str]:
    """Return ids of the fleet's keys, read from the controller's data directory, that begin like this."""
    from archipel_fleet.host.clock import SystemClock
    from archipel_fleet.trust import authoring, keyring
    from archipel_fleet.trust.refusal import KeysRefused

    try:
        directory = credentials.settings_of(None, os.environ).directory / keyring.DIRECTORY
        document = keyring.FleetKeys(directory, SystemClock()).trust.document
    except (Stop, KeysRefused):
        return []
    return [one for one in authoring.key_ids(document) if one.startswith(incomplete)]


def devices(incomplete: str) -> list[str]:
    """Return names of devices that begin like this."""
    return [
        name
        for row in _device_rows(incomplete, ())
        if (name := str(row.get("name", ""))).startswith(incomplete)
    ]


def requests(incomplete: str) -> list[str]:
    """Return codes of requests that wait, and begin like this."""
    rows = _device_rows(incomplete, ("pending",))
    return [code for row in rows if (code := str(row.get("claim", ""))).startswith(incomplete)]


def tokens(incomplete: str) -> list[str]:
    """Return ids of tokens that begin like this."""
    ids = [str(row.get("id", "")) for row in _list(_asked("/devices/tokens")) if isinstance(row, dict)]
    return [one for one in ids if one.startswith(incomplete)]


def _device_rows(incomplete: str, states: tuple[str, ...]) -> list[dict[str, object]]:
    found = _asked("/devices", text=incomplete, size=SHOWN, state=states)
    return found.get("rows", []) if isinstance(found, dict) else []


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
