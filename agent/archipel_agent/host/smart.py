"""smartctl, which needs the raw device: from within the agent's sandbox it runs as a transient unit.

Used by `flash.asking`.
"""

from archipel_agent.host.privileged import is_sandboxed
from archipel_agent.ports import CommandFailed, Runner

TIMEOUT_SECONDS = 20.0  # a disk that sleeps has to spin up
OUTSIDE = ("systemd-run", "--wait", "--pipe", "--collect", "--quiet")
ANY_CODE = tuple(range(256))  # its bits say what it found, not whether it could ask (smartctl(8))


def ask(runner: Runner, device: str) -> str:
    """Return `smartctl --json --all` of a whole device; empty where it cannot be asked."""
    argv = ["smartctl", "--json", "--all", f"/dev/{device}"]
    try:
        done = runner.run([*OUTSIDE, *argv] if is_sandboxed() else argv, timeout=TIMEOUT_SECONDS, ok=ANY_CODE)
    except CommandFailed:
        return ""
    return done.stdout
