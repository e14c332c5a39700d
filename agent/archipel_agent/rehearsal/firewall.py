"""The simulated nft: keeps whether our rules are loaded and until when, and lists them as nft 1.0.6 prints JSON.

Called by the simulated runner. It judges no packet; real rules are tried in network namespaces by the tests.
"""

import json
import re

from archipel_agent.firewall.standing import ARMED, TABLE

_SECONDS = re.compile(r"ipv4 timeout (\d+)s")
FOREVER = float("inf")


class SimulatedFirewall:
    """Our table in the kernel of a rehearsed machine; gone when the machine starts again."""

    def __init__(self) -> None:
        self._ends: float | None = None  # by the monotonic clock; None: no table
        self._boots = 0

    def load(self, text: str, now: float, boots: int) -> None:
        """Take what `nft -f -` gets at the monotonic second `now` of the start of the machine that has number `boots`."""
        self._boots = boots
        seconds = _SECONDS.search(text)
        if f"set {ARMED}" not in text:
            self._ends = None
        else:
            self._ends = now + int(seconds[1]) if seconds else FOREVER

    def listed(self, now: float, boots: int) -> str | None:
        """Return what `nft -j list table` prints; None where there is no such table."""
        if self._ends is None or boots != self._boots:
            return None
        armed: dict[str, object] = {"family": "inet", "name": ARMED, "table": TABLE}
        if self._ends == FOREVER:
            armed["elem"] = ["ipv4", "ipv6"]
        elif now < self._ends:
            left = int(self._ends - now)
            armed["elem"] = [{"elem": {"val": family, "expires": left}} for family in ("ipv4", "ipv6")]
        counter = {"family": "inet", "name": "refused", "table": TABLE, "packets": 0, "bytes": 0}
        return json.dumps({"nftables": [{"counter": counter}, {"set": armed}]})
