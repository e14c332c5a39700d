"""Runs the agent in this process, with its errors as sentences. For `agent`; loads nothing of the command line."""

from collections.abc import Callable, Mapping

from archipel_agent import daemon
from archipel_agent.api.socket_file import SocketUnavailable
from archipel_agent.paths import Paths
from archipel_agent.ports import Ports
from archipel_contract.exits import Exit


class CannotRun(Exception):
    """The agent does not run here now; the message says why, `code` is how the command ends."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def run(
    paths: Paths,
    flags: Mapping[str, object] | None = None,
    ports: Ports | None = None,
    before_turn: Callable[[], None] = lambda: None,
) -> int:
    """Run it to its end and return the exit code; raise CannotRun. See `daemon.main`."""
    try:
        return daemon.main(paths, ports, flags, before_turn)
    except daemon.AlreadyRuns as error:
        raise CannotRun(Exit.REFUSED, str(error)) from error
    except (SocketUnavailable, OSError) as error:
        raise CannotRun(Exit.FAILED, f"the agent cannot run: {error}") from error
