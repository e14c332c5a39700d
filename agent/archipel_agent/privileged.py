"""`python -m archipel_agent.privileged VERB`: the inside of a transient unit that does one privileged thing."""

import json
import os
import sys
from pathlib import Path

from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.privileged import verbs_for
from archipel_agent.host.run import SystemRunner
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed


def main(verb: str) -> int:
    """Do `verb` with the JSON parameters on standard input; the reason of a failure is the last line on stderr."""
    paths = Paths(Path(os.environ.get("ARCHIPEL_ROOT", "/")))
    disk, runner = SystemDisk(), SystemRunner()
    verbs = verbs_for(disk, runner)
    verbs["stop-pods"] = lambda _: _stop_pods(runner, disk, paths)
    try:
        verbs[verb](json.load(sys.stdin))
    except (CommandFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _stop_pods(runner: SystemRunner, disk: SystemDisk, paths: Paths) -> None:
    from archipel_agent.k3s.teardown import Teardown  # noqa: PLC0415 - the other verbs begin sooner without it

    Teardown(runner, disk, paths).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
