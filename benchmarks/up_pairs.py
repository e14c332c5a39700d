"""Pairs of hosts, one brought up by `archipel up`, one by hand: what the figures about `up` share.

Used by `up_time` and `up_bundle`, which say how each host of a pair is made. It starts no host itself.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figure import differences, up_bound
from benchmarks.ground import Ground, tell
from tests.hosts.booted import BootedHost

PAIRS, QUICK_PAIRS = 5, 1

# What `up` writes and a start by hand needs, taken from the latest host: the same settings, unit and token.
FILES = {
    "/etc/rancher/k3s/config.yaml": 0o600,
    "/etc/rancher/k3s/agent-token": 0o600,
    "/etc/rancher/k3s/admission.yaml": 0o600,
    "/etc/rancher/k3s/audit-policy.yaml": 0o600,
    "/etc/sysctl.d/90-archipel-k3s.conf": 0o644,
    "/etc/systemd/system/k3s.service": 0o644,
}
PREPARE = (
    "mkdir -p -m 700 /etc/rancher/k3s/config.yaml.d; sysctl -q -p /etc/sysctl.d/90-archipel-k3s.conf; "
    "systemctl daemon-reload; systemctl --quiet enable k3s; sync"
)


@dataclass(frozen=True, slots=True)
class Pairs:
    """What the pairs of one figure have shown so far; empty at first."""

    seconds: list[tuple[float, float]] = field(default_factory=list)  # by `up` and by hand, a pair each
    files: dict[str, bytes] = field(default_factory=dict)  # what the latest `up` wrote, by path
    steps: dict[str, list[float]] = field(default_factory=dict)  # what each step of `up` took, by its title

    def take(
        self, ground: Ground, name: str, by_up: Callable[[], float], by_hand: Callable[[], float]
    ) -> None:
        """Take the pairs, one of each in turn, and tell each as it comes; `name` is what `up` is called there."""
        for number in range(QUICK_PAIRS if ground.quick else PAIRS):
            up, hand = by_up(), by_hand()
            tell(f"{name} {up:.2f} s, by hand {hand:.2f} s (pair {number + 1})")
            self.seconds.append((up, hand))

    def keep(self, host: BootedHost, seen: dict[str, Any]) -> float:
        """Return the seconds of what `guest/up.py` saw; keep what each step took and the files `up` wrote on the host."""
        before = 0.0
        for title, at in seen["steps"]:
            self.steps.setdefault(title.partition("  ")[0], []).append(at - before)
            before = at
        self.files.update({path: host.get(path) for path in FILES})
        return float(seen["seconds"])

    def lay_out(self, host: BootedHost) -> None:
        """Give a host without the product what `up` wrote and set, up to the start of k3s."""
        for path, mode in FILES.items():
            host.put(self.files[path], path, mode)
        host.run(["sh", "-c", PREPARE]).ok()

    def values(self) -> tuple[float, ...]:
        """Return how much longer `up` took, a value each pair."""
        return differences(self.seconds)

    def bound(self) -> float:
        """Return how much longer it may take, by the median of the starts by hand."""
        return up_bound(statistics.median(hand for _, hand in self.seconds))

    def details(self) -> tuple[str, ...]:
        """Return both kinds of start and the steps of `up`, a line each, for people."""
        shares = [f"{title} {statistics.median(values):.2f}" for title, values in self.steps.items()]
        return (
            f"up      {_spread([up for up, _ in self.seconds])}",
            f"by hand {_spread([hand for _, hand in self.seconds])}",
            f"steps of up, median s: {', '.join(shares)}",
        )


def _spread(values: list[float]) -> str:
    return f"min {min(values):.2f}, median {statistics.median(values):.2f}, max {max(values):.2f} s"
