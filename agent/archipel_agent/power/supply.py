"""What a UPS says, and when a machine on its battery shuts down. Pure; used by `power.watch`.

It shuts down only on a word of the UPS that was just heard: on battery and low, or on battery for as long as the site
allows. Silence is never a reason; it stops the clock, and is a finding of its own. A shutdown is announced first and called
off when power returns before it is due.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

ANNOUNCED_SECONDS = 20.0  # two turns: one word of a UPS may be a slip
AGAIN_SECONDS = 120.0  # until an order that came to nothing is given again


class Supply(StrEnum):
    """Where the power comes from."""

    LINE = "line"
    BATTERY = "battery"
    LOW = "low"  # on battery, and not for long
    UNKNOWN = "unknown"


ON_BATTERY = (Supply.BATTERY, Supply.LOW)


class Act(StrEnum):
    """What to do now."""

    NOTHING = "nothing"
    ANNOUNCE = "announce"
    CALL_OFF = "call-off"
    SHUT_DOWN = "shut-down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One answer of the UPS. None: it does not say."""

    supply: Supply = Supply.UNKNOWN
    charge_percent: float | None = None
    runtime_seconds: float | None = None
    battery_worn: bool = False
    problem: str = ""  # why nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered between two readings; times are seconds that only grow."""

    supply: Supply = Supply.UNKNOWN
    at: float = 0.0
    on_battery: float = 0.0  # seconds that were surely spent on battery since power was last there
    announced: float | None = None
    ordered: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to remember, and what to do."""

    memory: Memory
    act: Act = Act.NOTHING


def decide(memory: Memory, supply: Supply, now: float, patience: float) -> Decision:
    """Judge one reading; `patience` is how many seconds on battery are allowed, 0 for as long as it is not low."""
    if supply is Supply.UNKNOWN:
        return Decision(replace(memory, supply=supply, at=now))
    if supply is Supply.LINE:
        called_off = memory.announced is not None and memory.ordered is None
        return Decision(Memory(supply=supply, at=now), Act.CALL_OFF if called_off else Act.NOTHING)
    # Between two words that both say battery it was; beside a silence nobody knows.
    spent = max(0.0, now - memory.at) if memory.supply in ON_BATTERY else 0.0
    after = replace(memory, supply=supply, at=now, on_battery=memory.on_battery + spent)
    if supply is not Supply.LOW and not 0 < patience <= after.on_battery:
        act = Act.CALL_OFF if memory.announced is not None and memory.ordered is None else Act.NOTHING
        return Decision(replace(after, announced=None, ordered=None), act)
    if after.announced is None:
        return Decision(replace(after, announced=now), Act.ANNOUNCE)
    is_due = now - after.announced >= ANNOUNCED_SECONDS
    if is_due and (after.ordered is None or now - after.ordered >= AGAIN_SECONDS):
        return Decision(replace(after, ordered=now), Act.SHUT_DOWN)
    return Decision(after)


def reading_of(variables: Mapping[str, str]) -> Reading:
    """Return what the variables of a UPS mean (names and words: Network UPS Tools developer guide, "ups.status")."""
    words = frozenset(variables.get("ups.status", "").split())
    supply = _supply(words)
    return Reading(
        supply=supply,
        charge_percent=_number(variables.get("battery.charge", "")),
        runtime_seconds=_number(variables.get("battery.runtime", "")),
        battery_worn="RB" in words,
        problem=""
        if supply is not Supply.UNKNOWN
        else f"its status is {' '.join(sorted(words)) or 'empty'}"[:80],
    )


def _supply(words: frozenset[str]) -> Supply:
    if "FSD" in words:  # who feeds it is about to switch it off
        return Supply.LOW
    if "OB" in words and "CAL" not in words:  # a calibration drains the battery while power is there
        return Supply.LOW if "LB" in words else Supply.BATTERY
    return Supply.LINE if words & {"OL", "BYPASS", "CAL"} else Supply.UNKNOWN


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
