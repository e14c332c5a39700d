"""Ending the pods and taking back what k3s left in the kernel: the work of upstream's k3s-killall.sh.

k3s itself ships no such command: stopping it leaves containers, mounts, links, network namespaces and firewall rules.
Order as upstream: processes, mounts, network namespaces, links, firewall rules, CNI state. Everything is told by names
and places that are k3s' own; nothing else on the machine is touched. Running it again is harmless.
"""

import os
import re
from pathlib import Path

from archipel_agent.host.process import end_tree, programs
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Disk, Runner

LINKS = ("cni0", "flannel.1", "flannel-v6.1", "kube-ipvs0", "flannel-wg", "flannel-wg-v6")
RULE_OWNERS = re.compile(r"KUBE-|CNI-|flannel", re.IGNORECASE)


def mount_places(paths: Paths) -> tuple[str, ...]:
    """Return the directories below which every mount is k3s' own."""
    places = ("run/k3s", "var/lib/kubelet/pods", "var/lib/kubelet/plugins", "run/netns/cni-")
    return tuple(str(paths.at(place)) for place in places)


def shims(paths: Paths) -> tuple[int, ...]:
    """Return the pids of the containerd shims that run from k3s' data directory."""
    prefix = str(paths.k3s_data / "data")
    return tuple(
        pid
        for pid, program in programs()
        if program.startswith(prefix) and "containerd-shim" in os.path.basename(program)
    )


def programs_in_use(paths: Paths) -> frozenset[str]:
    """Return the names in data/ from which a process runs, or to which the links of the present and previous k3s lead."""
    data = paths.k3s_data / "data"
    links = (data / "current", data / "previous")
    led = {os.path.basename(os.path.realpath(link)) for link in links if link.is_symlink()}
    run = {
        Path(program).relative_to(data).parts[0]
        for _, program in programs()
        if program.startswith(f"{data}/")
    }
    return frozenset(led | run)


def mounts(paths: Paths) -> tuple[str, ...]:
    """Return k3s' mount points, the deepest first."""
    places = mount_places(paths)
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = {line.split()[1].replace("\\040", " ") for line in lines}
    return tuple(sorted((point for point in points if point.startswith(places)), reverse=True))


def links() -> tuple[str, ...]:
    """Return the network interfaces k3s made: its own names, and the veths that hang on its bridge."""
    present = os.listdir("/sys/class/net")
    bridged = [name for name in present if os.path.exists(f"/sys/class/net/cni0/brif/{name}")]
    return tuple(sorted([*bridged, *(name for name in LINKS if name in present)]))


def namespaces(paths: Paths) -> tuple[str, ...]:
    """Return the network namespaces of pods."""
    place = paths.at("run/netns")
    return (
        tuple(name for name in sorted(os.listdir(place)) if name.startswith("cni-")) if place.is_dir() else ()
    )


class Teardown:
    """Takes k3s' traces out of the kernel."""

    def __init__(self, runner: Runner, disk: Disk, paths: Paths) -> None:
        """Work through the given doors."""
        self._runner = runner
        self._disk = disk
        self._paths = paths

    def leftovers(self) -> tuple[str, ...]:
        """Return what is left, one line each; empty when the kernel is as before."""
        found = [f"process {pid} (containerd-shim)" for pid in shims(self._paths)]
        found += [f"mount {point}" for point in mounts(self._paths)]
        found += [f"network namespace {name}" for name in namespaces(self._paths)]
        found += [f"link {name}" for name in links()]
        found += [
            f"{tool[:-5]} rules: {len(rules)}" for tool, (rules, _) in self._firewalls().items() if rules
        ]
        return tuple(found)

    def run(self) -> None:
        """Take everything back; raise CommandFailed if something stays."""
        for pid in shims(self._paths):
            end_tree(pid)
        for point in mounts(self._paths):
            # A mount may be busy for a moment, or hang on a network server that is away: detach it in any case.
            self._runner.run(["umount", "-l", point], ok=(0, 1, 32))
        for name in namespaces(self._paths):
            self._runner.run(["ip", "netns", "delete", name], ok=(0, 1))
        for name in links():
            self._runner.run(["ip", "link", "delete", name], ok=(0, 1, 2))
        for tool, (rules, kept) in self._firewalls().items():
            if rules:
                self._runner.run([tool.replace("-save", "-restore")], stdin=kept.encode())
        for directory in ("var/lib/cni", "run/flannel", "run/k3s"):
            self._disk.remove_tree(self._paths.at(directory))
        left = self.leftovers()
        if left:
            raise CommandFailed("k3s left something behind: " + "; ".join(left[:5]))

    def _firewalls(self) -> dict[str, tuple[list[str], str]]:
        """Return for each iptables-save that is installed the lines of k3s' and the whole without them."""
        found = {}
        for tool in ("iptables-save", "ip6tables-save"):
            place = self._runner.find(tool)
            if place is None:
                continue
            try:
                lines = self._runner.run([place]).stdout.splitlines()
            except CommandFailed:
                continue  # no such address family in this kernel: nothing to take back
            ours = [line for line in lines if RULE_OWNERS.search(line)]
            kept = "\n".join(line for line in lines if not RULE_OWNERS.search(line)) + "\n"
            found[tool] = (ours, kept)
        return found
