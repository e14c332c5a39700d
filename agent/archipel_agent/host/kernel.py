"""What the kernel offers: control groups, modules, and whether its clock is disciplined."""

import ctypes
import functools
import os
import zlib
from pathlib import Path

from archipel_agent.host.hardware import text
from archipel_contract.facts import Cgroups

# The configuration symbols behind the modules k3s needs, for kernels that have them built in or no module tree.
CONFIGURED_BY = {
    "br_netfilter": "CONFIG_BRIDGE_NETFILTER",
    "overlay": "CONFIG_OVERLAY_FS",
    "vxlan": "CONFIG_VXLAN",
    "nf_conntrack": "CONFIG_NF_CONNTRACK",
    "iptable_nat": "CONFIG_IP_NF_NAT",
    "iptable_filter": "CONFIG_IP_NF_FILTER",
}
GZIP = 16 + zlib.MAX_WBITS  # how zlib reads it; the module gzip is one more to hold
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized


def cgroups() -> Cgroups:
    """Return the hierarchy in use: version 2 where the unified one is mounted, else the enabled version 1 controllers."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.exists():
        return Cgroups(version=2, controllers=tuple(sorted(text(str(unified)).split())))
    enabled = []
    for line in text("/proc/cgroups").splitlines():
        fields = line.split()
        if not line.startswith("#") and len(fields) == 4 and fields[3] == "1":
            enabled.append(fields[0])
    mounted = any(" cgroup " in line for line in text("/proc/self/mounts").splitlines())
    return Cgroups(version=1 if mounted else 0, controllers=tuple(sorted(enabled)) if mounted else ())


def has_module(name: str) -> bool | None:
    """Whether the kernel has loaded, has built in, or could load `name`; None if nothing tells."""
    if os.path.isdir(f"/sys/module/{name}"):
        return True
    tree = Path("/lib/modules") / os.uname().release
    listed = [text(str(tree / file)) for file in ("modules.builtin", "modules.dep")]
    if any(f"/{name}.ko" in content for content in listed):
        return True
    configured = _configured(CONFIGURED_BY.get(name, ""))
    if configured is not None:
        return configured
    return False if listed[1] else None


def _configured(symbol: str) -> bool | None:
    """Return whether the running kernel was configured with `symbol`: built in counts, a module only if it is there."""
    if not symbol:
        return None
    try:
        held = zlib.decompress(Path("/proc/config.gz").read_bytes(), GZIP)
    except (OSError, zlib.error):
        return None
    return f"{symbol}=y" in held.decode(errors="replace").splitlines()


class _Timex(ctypes.Structure):
    """The head of struct timex; the rest is room for whatever the kernel writes behind it."""

    _fields_ = (("modes", ctypes.c_uint), ("rest", ctypes.c_byte * 508))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def clock_synchronized() -> bool | None:
    """Whether something disciplines the kernel's clock, by adjtimex(2) with no mode set; None if it cannot be asked."""
    try:
        state = _libc().adjtimex(ctypes.byref(_Timex(0)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR
