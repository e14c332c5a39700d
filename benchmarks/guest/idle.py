"""Watch a process that has nothing to do: `idle.py PID SECONDS`.

CPU time of its threads comes in nanoseconds from /proc/PID/task/*/schedstat, that of children it has waited for in
ticks from /proc/PID/stat, bytes from /proc/PID/io (which counts threads and children that have ended, too).
"""

import json
import os
import sys
import time
from pathlib import Path


def seen(pid: int) -> dict[str, int]:
    """Return the counters of a process."""
    own = Path(f"/proc/{pid}")
    threads = {
        task.name: int((task / "schedstat").read_text().split()[0]) for task in (own / "task").iterdir()
    }
    switches = 0
    for task in (own / "task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                switches += int(line.split()[1])
    stat = (own / "stat").read_text().rpartition(")")[2].split()
    io = dict(line.split(": ") for line in (own / "io").read_text().splitlines())
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return {
        "cpu_ns": sum(threads.values()),
        "cpu_by_ticks_ns": (int(stat[11]) + int(stat[12])) * tick,
        "children_ns": (int(stat[13]) + int(stat[14])) * tick,
        "threads": len(threads),
        "switches": switches,
        "write_bytes": int(io["write_bytes"]),
    }


def memory(pid: int) -> dict[str, int]:
    """Return resident memory in KiB: all, the part no file stands behind, and the most there ever was."""
    fields = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon", "VmHWM"):
            fields[name] = int(value.split()[0])
    return fields


def main(pid: int, seconds: float) -> int:
    """Print the counters' growth and the memory at the end."""
    before = seen(pid)
    began = time.monotonic()
    time.sleep(seconds)
    after = seen(pid)
    grown = {name: after[name] - before[name] for name in after if name != "threads"}
    window = time.monotonic() - began
    print(json.dumps({**grown, "threads": after["threads"], "seconds": window, "memory_kib": memory(pid)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
