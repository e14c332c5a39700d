"""What the simulated machine is right now, besides its files: everything a fault may change. Plain values."""

from dataclasses import dataclass, field

from archipel_agent.ports import Listener
from archipel_contract.facts import NodeFacts

# As a Debian kernel has them before anybody sets anything.
KERNEL_AT_BOOT = {
    "vm.overcommit_memory": "0",
    "vm.panic_on_oom": "0",
    "kernel.panic": "0",
    "kernel.panic_on_oops": "0",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.keys.root_maxbytes": "25000000",
    "net.ipv4.ip_forward": "0",
}
MODULES = ("br_netfilter", "overlay", "vxlan", "nf_conntrack", "iptable_nat", "iptable_filter")


@dataclass(slots=True, kw_only=True)
class MachineState:
    """Changeable on purpose: this is the world itself."""

    facts: NodeFacts
    kernel: dict[str, str] = field(default_factory=lambda: dict(KERNEL_AT_BOOT))
    kernel_command_line: str = "console=tty1 root=/dev/mmcblk0p2"
    modules: tuple[str, ...] = MODULES
    strangers: tuple[Listener, ...] = ()
    free_bytes: int = 20 << 30
    images: bool = True  # whether k3s finds the images it needs
    interface_lost: bool = False
    slowness: float = 1.0
    synchronized: bool | None = True
    temperature_c: float = 48.2
    traces: bool = False  # of pods in the kernel: shims, mounts, links, rules
    boots: int = 1
    booted: float = 0.0  # by the monotonic clock
