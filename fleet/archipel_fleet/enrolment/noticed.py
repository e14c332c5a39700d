"""What was refused of a device in the last days, as findings, for whoever shows a site or a node. Called by `serve`."""

from archipel_contract import catalogue
from archipel_fleet.device_ports import DeviceReader
from archipel_fleet.records import EVERYTHING, FindingRow

SHOWN_FOR = 7 * 86_400_000  # milliseconds after it happened last
LOOKED_AT = 20  # events


def about(devices: DeviceReader, node_id: str, now: int) -> tuple[FindingRow, ...]:
    """Return a finding for each kind of refusal, newest first; what people did is no finding. Raises StoreFailed."""
    found: dict[str, FindingRow] = {}
    for event in devices.events(EVERYTHING, LOOKED_AT, node_id):
        if event.at > now - SHOWN_FOR and event.code in catalogue.entries() and event.code not in found:
            evidence = (f"{event.count}x {event.detail}".strip(),)
            finding = catalogue.finding(event.code, evidence)
            found[event.code] = FindingRow(
                finding=finding, node_id=node_id, heard=event.at, by_controller=True
            )
    return tuple(found.values())
