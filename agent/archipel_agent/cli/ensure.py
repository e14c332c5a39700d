"""Makes sure that an agent runs, before a command asks it to do something: by systemd where it is installed there.

Used by the commands that start jobs. Without a unit the agent is started as a process of its own that outlives the command.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.reader import REHEARSED, living
from archipel_agent.paths import ROOT_VARIABLE
from archipel_contract.catalogue import finding
from archipel_contract.exits import Exit

UNIT = "archipel-agent.service"
UNIT_PLACES = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
START_SECONDS = 30.0
POLL_SECONDS = 0.05
TAIL_LINES = 5


def ensure_agent(session: Session, command: str, start: Callable[[Session], None] | None = None) -> None:
    """Return once an agent answers; raise Stop when this user may not start one, or when it does not come up."""
    alive = living(session.client)
    if alive is not None:
        if alive.rehearsed:
            session.screen.note(REHEARSED)
        return
    _may_start(session, command)
    session.screen.note("Starting the agent.")
    (start or start_agent)(session)
    _wait(session)


def start_agent(session: Session) -> None:
    """Start the agent, by systemd where it knows our unit; raise Stop when it cannot be."""
    from archipel_agent.host import run  # a process is started, so its door is needed
    from archipel_agent.ports import CommandFailed

    try:
        if runs_under_systemd(session.paths.root):
            run.SystemRunner().run(["systemctl", "start", UNIT], timeout=START_SECONDS + 10)
        else:
            run.spawn_detached(agent_command(), log_path(session), environment=_environment(session))
    except (CommandFailed, OSError) as error:
        raise Stop(Exit.AGENT_AWAY, f"the agent could not be started: {error}") from error


def agent_command() -> list[str]:
    """Return how to start the agent with the program this command belongs to, whatever PATH says."""
    return [sys.executable, "-I", "-m", "archipel_contract.launcher", "agent", "run"]


def runs_under_systemd(root: Path) -> bool:
    """Whether systemd runs this machine (sd_booted(3)) and knows our unit; never for a root that is not the machine's."""
    if root != Path("/") or not Path("/run/systemd/system").is_dir():
        return False
    return any((root / place / UNIT).exists() for place in UNIT_PLACES)


def log_path(session: Session) -> Path:
    """Return where an agent without systemd writes its log.

    Beside its socket where the state cannot be written: the agent is to start all the same, and to say why.
    """
    log = session.paths.state / "log/agent.log"
    there = next(place for place in log.parents if place.exists())
    return log if os.access(there, os.W_OK) else session.paths.runtime / "agent.log"


def _may_start(session: Session, command: str) -> None:
    if os.geteuid() == 0 or session.paths.root != Path("/"):
        return
    user = os.environ.get("USER") or f"uid {os.geteuid()}"
    session.screen.remark(finding("not-root", (f"uid {os.geteuid()}",), user=user, command=command))
    raise Stop(Exit.NOT_PERMITTED, "no agent runs here, and only root may start one")


def _environment(session: Session) -> dict[str, str]:
    """Return what of our environment the agent gets: the settings given there, and the root."""
    given = {name: value for name, value in os.environ.items() if name.startswith("ARCHIPEL_")}
    return {**given, ROOT_VARIABLE: str(session.paths.root)}


def _wait(session: Session) -> None:
    clock = session.clock
    end = clock.monotonic() + START_SECONDS
    while living(session.client) is None:
        if clock.monotonic() > end:
            raise Stop(
                Exit.AGENT_AWAY, f"the agent did not come up within {START_SECONDS:g} s.{_tail(session)}"
            )
        clock.wait(POLL_SECONDS)


def _tail(session: Session) -> str:
    """Return the last words of the agent, and where to find more."""
    if runs_under_systemd(session.paths.root):
        return f" See: journalctl -u {UNIT} -n 30"
    try:
        lines = log_path(session).read_text(errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return ""
    return f" The end of {log_path(session)}:\n" + "\n".join(f"  {line}" for line in lines)
