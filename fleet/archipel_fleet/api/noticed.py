"""What the link noticed of a site's nodes, beside what the store has: added to a site wherever one is shown."""

from dataclasses import replace

from archipel_fleet.api.context import Context
from archipel_fleet.records import SiteDetail


def with_noticed(here: Context, found: SiteDetail) -> SiteDetail:
    """Return a site with the findings the link holds about its nodes."""
    noticed = [replace(row, node_name=node.name) for node in found.nodes for row in here.about(node.node_id)]
    return replace(found, findings=(*found.findings, *noticed)) if noticed else found
