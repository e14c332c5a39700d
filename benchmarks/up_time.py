"""How much longer `archipel up` takes than starting the same k3s by hand, until the node is Ready."""

from functools import partial

from benchmarks.figure import Figure
from benchmarks.ground import NAME, Ground, fresh_host, in_guest
from benchmarks.up_pairs import Pairs


def by_up(pairs: Pairs) -> float:
    """Return the seconds on a fresh host; `pairs` keeps what it showed."""
    with fresh_host(product=True) as host:
        return pairs.keep(host, in_guest(host, "up"))


def by_hand(pairs: Pairs) -> float:
    """Return the seconds on a fresh host that has everything but Archipel."""
    with fresh_host(product=False) as host:
        pairs.lay_out(host)
        return float(in_guest(host, "by_hand", NAME)["seconds"])


def measure(ground: Ground) -> Figure:
    """Take the pairs, one of each in turn; raise Skipped."""
    pairs = Pairs()
    pairs.take(ground, "up", partial(by_up, pairs), partial(by_hand, pairs))
    return Figure(
        name="up-time",
        title="`archipel up` beyond a start by hand, until the node is Ready",
        unit="s",
        values=pairs.values(),
        bound=pairs.bound(),
        method=(
            f"{len(pairs.seconds)} pairs in turn, each on a host booted anew with fresh data, the same k3s and images laid "
            "out. `up`: from the start of the command, all checks on, to the end of the step that waits for the node. "
            "By hand: the very files `up` had written, kernel settings set, from `systemctl start k3s` to the node being "
            "Ready, read from the API every 0.25 s as `up` does. The bound is 2 s or 5 % of the time by hand."
        ),
        details=pairs.details(),
    )
