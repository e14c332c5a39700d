"""Run `archipel up` with the options given, and note when each line of its output came, until the node is Ready.

The job goes on when this program ends.
"""

import json
import subprocess
import sys
import time

READY = "Wait for the node"  # the title of the step `wait-node`


def main() -> int:
    """Print the seconds from the start of the command to the end of that step, and every finished step with its time."""
    began = time.monotonic()
    with subprocess.Popen(
        ["archipel", "up", "--yes", *sys.argv[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as command:
        assert command.stdout is not None
        steps = []
        said = []
        for line in command.stdout:
            seconds = time.monotonic() - began
            said.append(line)
            if line.startswith("+ "):
                steps.append((line[2:].strip(), seconds))
                if READY in line:
                    print(json.dumps({"seconds": seconds, "steps": steps}))
                    command.kill()
                    return 0
    print("".join(said), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
