"""Whether pods get the plant's name servers.

k3s pkg/agent/config/config.go takes /etc/resolv.conf, else systemd-resolved's list, and neither if any name
server in it is not a plain address (loopback, link-local, multicast) or there is none; then it writes
8.8.8.8, dead on a plant.
"""

import ipaddress
import re

from archipel_agent.checks import logs
from archipel_agent.checks.base import BOTH, Evidence, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.findings import CheckResult

SLUG = slug_of(__name__)
PHASES = BOTH
SERVER = re.compile(r"^nameserver\s+(\S*)", re.MULTILINE)
CHOSEN = re.compile(r"^\s*resolv-conf\+?:\s*\S", re.MULTILINE)
METADATA = ipaddress.ip_address("169.254.169.254")  # a cloud's, which k3s lets pass
LOGGED = re.compile(r"Host resolv\.conf includes loopback, multicast, or link-local nameservers")


def look(evidence: Evidence) -> CheckResult:
    """Judge both files as k3s does, and what k3s said."""
    if CHOSEN.search(evidence.k3s_drop_ins or ""):
        return passed(SLUG, "the site names its own file")
    logged = tuple(line for line in logs.lines_now(evidence) if LOGGED.search(line))[-1:]
    texts = (evidence.resolv_conf, evidence.resolv_conf_upstream)
    for text in texts:
        if text is not None and is_usable(text):
            return passed(SLUG, " ".join(SERVER.findall(text)))
    if not logged and None in texts:
        return undecided(SLUG, "not every list of name servers could be read")
    servers = " ".join(SERVER.findall(evidence.resolv_conf or "")) or "-"
    return found(
        SLUG, servers, logs.with_evidence(finding("name-servers-unusable", servers=servers), *logged)
    )


def is_usable(text: str) -> bool:
    """Whether k3s would take this resolv.conf for pods."""
    servers = SERVER.findall(text)
    return bool(servers) and all(map(_is_plain, servers))


def _is_plain(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    return address == METADATA or not special
