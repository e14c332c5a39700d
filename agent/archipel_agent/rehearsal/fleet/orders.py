"""What the stage and its processes say to each other: one JSON object a line. Pure.

Down goes one Order first, then acts; up come reports of what has changed. An end of the input asks a process to end.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from archipel_agent.rehearsal.fleet.acts import Act
from archipel_agent.rehearsal.fleet.scenario import Special


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process plays: sites `first` to `last`."""

    first: int
    last: int
    nodes: int
    seed: int
    broker: str
    root: str
    interval: float
    metrics_every: float
    pace: float
    enrol: str = (
        ""  # the link by which every node enrols; empty: they speak unsigned, over a broker of this machine
    )
    special: tuple[Special, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node as the stage knows it."""

    on: bool = False
    link: str = ""
    health: str = ""
    troubles: tuple[str, ...] = ()
    connections: int = 0  # that the broker accepted
    failures: tuple[tuple[float, str], ...] = ()  # the last attempts to connect: when, and why not
    expected: bool = True  # to be connected now: neither silent nor dialling in nor in trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a process reports: how many nodes are set up, which have changed, or why it cannot go on."""

    set_up: int = 0
    nodes: dict[str, NodeView] = field(default_factory=dict)
    failed: str = ""


def to_line(value: Order | Act | News) -> str:
    """Return a value as one line."""
    return json.dumps(asdict(value), separators=(",", ":"))


def order_from(line: str) -> Order:
    """Return the order in a line."""
    raw = json.loads(line)
    special = tuple(Special(**{**one, "faults": tuple(one["faults"])}) for one in raw.pop("special"))
    return Order(**raw, special=special)


def act_from(line: str) -> Act:
    """Return the act in a line."""
    raw: dict[str, Any] = json.loads(line)
    return Act(**{**raw, "where": tuple(raw["where"])})


def news_from(line: str) -> News:
    """Return the news in a line."""
    raw: dict[str, Any] = json.loads(line)
    nodes = {
        name: NodeView(**{**view, **{key: _tupled(view[key]) for key in ("troubles", "failures")}})
        for name, view in raw["nodes"].items()
    }
    return News(set_up=raw["set_up"], nodes=nodes, failed=raw["failed"])


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value
