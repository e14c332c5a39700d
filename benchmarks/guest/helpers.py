"""See which helper processes the agent starts while something is asked of it: `helpers.py PID WORD...`.

Looks for children of PID as often as it can while the command runs, and keeps for each the most memory it had.
"""

import json
import subprocess
import sys
import time
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def look(pid: int, peaks: dict[str, int]) -> None:
    """Note the children there are now."""
    for child in children(pid):
        try:
            status = Path(f"/proc/{child}/status").read_text().splitlines()
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        except OSError:
            continue  # it has ended meanwhile
        peak = next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), 0)
        name = words[0].rpartition("/")[2]
        if peak and name not in ("", "archipel", "python3", "python"):  # not yet what it is going to be
            peaks[name] = max(peaks.get(name, 0), peak)


def main(pid: int, argv: list[str]) -> int:
    """Print the peak resident memory in KiB by program."""
    peaks: dict[str, int] = {}
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
        while command.poll() is None:
            look(pid, peaks)
            time.sleep(0.0005)
    print(json.dumps(peaks))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
