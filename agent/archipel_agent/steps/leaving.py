"""A removal under way, as the state knows it, and what of the agent goes with it. For `daemon`, and the step `goodbye`."""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.paths import Paths, time_servers
from archipel_agent.state.store import Store

AGENT_UNIT = "archipel-agent.service"
LEAVING, KEEPING = "leaving", "keep-state"
# What mounts sticks: the rule first, so that none is met by half of it.
STICKS = (
    "usr/lib/udev/rules.d/90-archipel-sticks.rules",
    "usr/lib/systemd/system/archipel-stick@.service",
    "usr/lib/archipel",
    "run/archipel-sticks",
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A removal that the agent's own process has to finish, where no systemd does it."""

    keep_state: bool


def leaving(store: Store) -> Leaving | None:
    """Return the removal under way, if there is one."""
    wish = store.value(LEAVING)
    return None if wish is None else Leaving(keep_state=wish == KEEPING)


def forget_leaving(store: Store) -> None:
    """Forget the removal, so that a kept state does not send a later agent away."""
    store.keep(**{LEAVING: None})


def doomed(paths: Paths, keep_state: bool) -> tuple[Path, ...]:
    """Return what belongs to the agent, in the order to remove it: the program last but for the unit."""
    state = () if keep_state else (paths.state,)
    installed = tuple(paths.at(f"usr/lib/{kind}.d/archipel.conf") for kind in ("sysusers", "tmpfiles"))
    sticks = tuple(paths.at(one) for one in STICKS)
    links = (paths.units / "multi-user.target.wants" / AGENT_UNIT, paths.units / AGENT_UNIT)
    own = (paths.settings, time_servers(paths), paths.runtime)
    return (*state, *own, *installed, *sticks, *links, paths.command, paths.program)
