"""See what it costs the agent when something is asked of it: `helpers.py PID COUNT WORD...` runs the command COUNT times.

Looks for children of PID as often as it can meanwhile, and keeps for each program the most memory it had.
"""

import json
import os
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


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of the children it has waited for."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(word) for word in stat[11:15]) / os.sysconf("SC_CLK_TCK")


def main(pid: int, count: int, argv: list[str]) -> int:
    """Print the peak resident memory in KiB by program, and the CPU time of one run."""
    peaks: dict[str, int] = {}
    before = cpu_seconds(pid)
    for _ in range(count):
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
            while command.poll() is None:
                look(pid, peaks)
                time.sleep(0.002)
    print(json.dumps({"peaks": peaks, "cpu_seconds": (cpu_seconds(pid) - before) / count}))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
