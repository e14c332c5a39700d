"""What can be done to a rehearsed fleet: cut links, cut the power, set clocks wrong, and every fault of one machine.

The words are the same in scenario files, in `archipel rehearse ctl` and between the rehearsal's processes. Pure.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from archipel_agent.rehearsal.faults import FAULTS

CUT, POWER_CUT, CLOCK = "cut", "power-cut", "clock"
TROUBLES: dict[str, str] = {
    CUT: "the link to the fleet is cut; the site itself runs on",
    POWER_CUT: "the machine has no power: k3s, agent and link are gone",
    CLOCK: "the machine's clock is wrong (see `to`)",
    **{fault.name: fault.title for fault in FAULTS.values()},
}
EVERYWHERE = "all"

_OFFSET = re.compile(r"([+-])(\d+(?:\.\d+)?)(s|m|h|d|y)")
_DRIFT = re.compile(r"drift ([+-]\d+(?:\.\d+)?)(?:ppm)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365.25 * 86400}
EPOCH = "1970"
YEARS_LIMIT = 150


class ActInvalid(ValueError):
    """There is no such trouble, or it cannot be made so; the message says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One trouble made or healed at some sites or nodes (by name, or `all`)."""

    what: str
    where: tuple[str, ...]
    heal: bool = False
    to: str = ""  # of `clock`: an offset, a drift, or 1970

    def words(self) -> str:
        """Return it in one line."""
        place = ", ".join(self.where)
        to = f" to {self.to}" if self.to and not self.heal else ""
        return f"{'healed: ' if self.heal else ''}{self.what}{to} at {place}"


@dataclass(frozen=True, slots=True)
class ClockError:
    """How wrong a clock is: an offset, a drift in seconds a second, or (offset None) as after a start without a battery."""

    offset: timedelta | None
    drift: float = 0.0


def checked(act: Act) -> Act:
    """Return `act` when it can be done; raise ActInvalid."""
    if act.what not in TROUBLES:
        raise ActInvalid(f"there is no trouble {act.what!r}; there are {', '.join(TROUBLES)}")
    if act.what == CLOCK and not act.heal:
        clock_error(act.to)
    elif act.to:
        raise ActInvalid(f"{act.what} takes no `to`, only clock does")
    if not act.where:
        raise ActInvalid(f"say where: the name of a site or node, or {EVERYWHERE}")
    return act


def clock_error(text: str) -> ClockError:
    """Return what `+3y`, `-40d`, `drift +200ppm` and `1970` mean; raise ActInvalid."""
    if text == EPOCH:
        return ClockError(None)
    drift = _DRIFT.fullmatch(text)
    if drift:
        return ClockError(timedelta(), float(drift[1]) / 1e6)
    offset = _OFFSET.fullmatch(text)
    if offset is None:
        raise ActInvalid(f"a clock goes `to` +3y, -40d, +90s, 1970 or `drift +200ppm`, not {text!r}")
    seconds = float(offset[2]) * _SECONDS[offset[3]]
    if seconds > YEARS_LIMIT * _SECONDS["y"]:
        raise ActInvalid(f"a clock can be off by at most {YEARS_LIMIT} years, not {text!r}")
    return ClockError(timedelta(seconds=seconds if offset[1] == "+" else -seconds))
