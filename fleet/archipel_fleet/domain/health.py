"""Health: as last heard, whoever is silent. Pure; knows no contact."""

from collections.abc import Iterable

from archipel_contract.status import Health
from archipel_fleet.ports import HEALTH_ORDER
from archipel_fleet.records import LastHealth

_WORDS = {str(health): health for health in Health}
RANK = {health: place for place, health in enumerate(HEALTH_ORDER)}


def of_site(nodes: Iterable[LastHealth]) -> LastHealth:
    """Return a site's health from its nodes' last words: the gravest, with the newest word that says so.

    Nodes that never said how they are count only if no node did.
    """
    said = [one for one in nodes if one.heard is not None]
    if not said:
        return LastHealth(health=Health.UNKNOWN)
    gravest = min(said, key=lambda one: RANK[one.health]).health
    same = [one for one in said if one.health is gravest]
    return LastHealth(
        health=gravest,
        heard=max((one.heard for one in same if one.heard is not None), default=None),
        since=min((one.since for one in same if one.since is not None), default=None),
    )


def gravest(states: Iterable[str]) -> str:
    """Return the gravest of health words; `unknown` for none and for words of a newer version."""
    known = [_WORDS.get(state, Health.UNKNOWN) for state in states]
    return str(min(known, key=RANK.__getitem__, default=Health.UNKNOWN))
