"""On what the figures were measured. Figures from another machine say little about this one."""

import os
import platform
from pathlib import Path


def describe() -> dict[str, str]:
    """Return the machine in words, one field each."""
    return {
        "processor": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int((_first('/proc/meminfo', 'MemTotal') or '0').split()[0]) / (1 << 20):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_version()} here",
        "load": f"{os.getloadavg()[0]:.2f} (1 minute, at the start)",
    }


def _first(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
