"""Run a command several times and measure each run on the wall clock: `times.py COUNT WORD...`."""

import json
import subprocess
import sys
import time


def main(count: int, argv: list[str]) -> int:
    """Print the seconds of each run and the last exit code; one run before them is not counted."""
    seconds = []
    code = 0
    for number in range(count + 1):
        began = time.monotonic()
        code = subprocess.run(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode
        if number:
            seconds.append(time.monotonic() - began)
    print(json.dumps({"seconds": seconds, "code": code}))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
