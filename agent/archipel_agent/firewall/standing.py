"""How the firewall stands in the kernel, read from what `nft -j list table` prints. Pure; asking is done by the caller."""

import json
from dataclasses import dataclass
from enum import StrEnum

TABLE = "archipel"
ARMED = "armed"  # the set in it by which rules end by themselves


class Standing(StrEnum):
    """What the kernel does with what arrives."""

    OFF = "off"  # no rules of ours
    ON = "on"
    UNCONFIRMED = "unconfirmed"  # on, and about to end by itself
    EXPIRED = "expired"  # nobody confirmed: everything passes again


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The standing, how many seconds are left to confirm, and how many packets were refused so far."""

    standing: Standing
    seconds_left: int = 0
    refused: int = 0


def read(listed: str) -> Stand:
    """Return what a listing of our table says; "" is that there is none. Raises ValueError for what is no such listing."""
    if not listed.strip():
        return Stand(standing=Standing.OFF)
    refused, armed = 0, None
    for item in json.loads(listed)["nftables"]:
        if counter := item.get("counter"):
            refused += int(counter.get("packets", 0))
        if (found := item.get("set")) and found.get("name") == ARMED:
            armed = found.get("elem", [])
    if armed is None:
        raise ValueError(f"the table has no set {ARMED!r}")
    if not armed:
        return Stand(standing=Standing.EXPIRED, refused=refused)
    left = [
        int(one["elem"]["expires"]) for one in armed if isinstance(one, dict) and "expires" in one["elem"]
    ]
    if left:
        return Stand(standing=Standing.UNCONFIRMED, seconds_left=min(left), refused=refused)
    return Stand(standing=Standing.ON, refused=refused)
