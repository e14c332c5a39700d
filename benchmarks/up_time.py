"""How much longer `archipel up` takes than starting the same k3s by hand, until the node is Ready."""

import statistics

from benchmarks.figure import Figure, differences, up_bound
from benchmarks.ground import NAME, Ground, fresh_host, in_guest, tell

PAIRS, QUICK_PAIRS = 5, 1

# What `up` writes and a start by hand needs, taken from the first host: the same settings, unit and token.
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

Steps = dict[str, list[float]]


def by_up(files: dict[str, bytes], steps: Steps) -> float:
    """Return the seconds on a fresh host; keep the files it wrote, and what each step took."""
    with fresh_host(product=True) as host:
        seen = in_guest(host, "up")
        before = 0.0
        for title, at in seen["steps"]:
            steps.setdefault(title.partition("  ")[0], []).append(at - before)
            before = at
        files.update({path: host.get(path) for path in FILES})
    return float(seen["seconds"])


def by_hand(files: dict[str, bytes]) -> float:
    """Return the seconds on a fresh host that has everything but Archipel."""
    with fresh_host(product=False) as host:
        for path, mode in FILES.items():
            host.put(files[path], path, mode)
        host.run(["sh", "-c", PREPARE]).ok()
        return float(in_guest(host, "by_hand", NAME)["seconds"])


def measure(ground: Ground) -> Figure:
    """Take the pairs, one of each in turn; raise Skipped."""
    pairs: list[tuple[float, float]] = []
    files: dict[str, bytes] = {}
    steps: Steps = {}
    for number in range(QUICK_PAIRS if ground.quick else PAIRS):
        pair = by_up(files, steps), by_hand(files)
        tell(f"up {pair[0]:.2f} s, by hand {pair[1]:.2f} s (pair {number + 1})")
        pairs.append(pair)
    up = [first for first, _ in pairs]
    hand = [second for _, second in pairs]
    shares = [f"{title} {statistics.median(values):.2f}" for title, values in steps.items()]
    return Figure(
        name="up-time",
        title="`archipel up` beyond a start by hand, until the node is Ready",
        unit="s",
        values=differences(pairs),
        bound=up_bound(statistics.median(hand)),
        method=(
            f"{len(pairs)} pairs in turn, each on a host booted anew with fresh data, the same k3s and images laid out. "
            "`up`: from the start of the command, all checks on, to the end of the step that waits for the node. By hand: "
            "the very files `up` had written, kernel settings set, from `systemctl start k3s` to the node being Ready, read "
            "from the API every 0.25 s as `up` does. The bound is 2 s or 5 % of the time by hand."
        ),
        details=(
            f"up      {spread(up)}",
            f"by hand {spread(hand)}",
            f"steps of up, median s: {', '.join(shares)}",
        ),
    )


def spread(values: list[float]) -> str:
    """Return smallest, middle and largest for people."""
    return f"min {min(values):.2f}, median {statistics.median(values):.2f}, max {max(values):.2f} s"
