"""Network interfaces, routes and listening sockets of this machine."""

import ipaddress
import os
import socket
from pathlib import Path

import psutil

from archipel_agent.host.hardware import text
from archipel_agent.ports import Listener
from archipel_contract.facts import Nic, Route

MADE = ("veth", "cni", "flannel", "docker", "br-", "virbr", "kube-", "tailscale", "wg", "dummy")
ROUTE_UP = 0x1  # RTF_UP of <linux/route.h>


def nics() -> tuple[Nic, ...]:
    """Return every interface but loopback, by name."""
    states = psutil.net_if_stats()
    found = []
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        if name == "lo":
            continue
        state = states.get(name)
        carrier = text(f"/sys/class/net/{name}/carrier")
        found.append(
            Nic(
                name=name,
                mac=next((a.address for a in addresses if a.family == psutil.AF_LINK), ""),
                up=bool(state and state.isup),
                carrier={"1": True, "0": False}.get(carrier),
                speed_mbit=state.speed if state and 0 < state.speed < 65535 else None,
                addresses=tuple(
                    str(ipaddress.ip_interface(f"{a.address}/{a.netmask or '32'}"))
                    for a in addresses
                    if a.family == socket.AF_INET
                ),
                virtual=_is_virtual(name),
            )
        )
    return tuple(found)


def pulse() -> object:
    """Return what changes with a cable, an address or a route: the carriers of real NICs, and the kernel's routes."""
    carriers = [
        (name, text(f"/sys/class/net/{name}/carrier"))
        for name in os.listdir("/sys/class/net")
        if not name.startswith(MADE) and name != "lo"
    ]
    return (tuple(carriers), text("/proc/net/route"))


def _is_virtual(name: str) -> bool:
    """Whether software made the interface. A veth counts as real outside k3s' own names: in a container it is the NIC."""
    if name.startswith(MADE):
        return True
    return Path(f"/sys/class/net/{name}/bridge").exists() or Path(f"/sys/class/net/{name}/tun_flags").exists()


def routes() -> tuple[Route, ...]:
    """Return the IPv4 routes of the main table, from /proc/net/route (addresses are little-endian hexadecimal)."""
    found = []
    for line in text("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or not int(fields[3], 16) & ROUTE_UP:
            continue
        network = ipaddress.IPv4Network(f"{_address(fields[1])}/{_address(fields[7])}", strict=False)
        gateway = _address(fields[2])
        found.append(
            Route(
                destination=str(network),
                interface=fields[0],
                gateway="" if gateway == ipaddress.IPv4Address(0) else str(gateway),
            )
        )
    return tuple(found)


def _address(word: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(bytes.fromhex(word)[::-1])


def listeners() -> tuple[Listener, ...] | None:
    """Return every listening TCP and bound UDP socket, with its process where we may know it."""
    try:
        connections = psutil.net_connections("inet")
    except (psutil.Error, OSError):
        return None
    found = []
    for connection in connections:
        is_tcp = connection.type == socket.SOCK_STREAM
        if not connection.laddr or (is_tcp and connection.status != psutil.CONN_LISTEN):
            continue
        if not is_tcp and connection.raddr:
            continue
        found.append(
            Listener(
                port=connection.laddr.port,
                address=connection.laddr.ip,
                protocol="tcp" if is_tcp else "udp",
                process=text(f"/proc/{connection.pid}/comm") if connection.pid else "",
                pid=connection.pid,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.port, one.protocol, one.address)))
