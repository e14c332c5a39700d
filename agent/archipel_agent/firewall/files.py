"""Where the firewall keeps what is declared and what is in force, and the unit that loads it at boot. Pure."""

from pathlib import Path

from archipel_agent.firewall.standing import TABLE
from archipel_agent.paths import Paths

BOOT_UNIT = "archipel-firewall.service"
NFT = "/usr/sbin/nft"  # where Debian, Ubuntu and Raspberry Pi OS have it


def declaration(paths: Paths) -> Path:
    """Return the file in which people declare what may come in."""
    return paths.settings / "firewall.conf"


def boot_file(paths: Paths) -> Path:
    """Return the rules that were confirmed; they are in force from boot on, and its being there says so."""
    return paths.settings / "firewall.nft"


def boot_links(paths: Paths) -> tuple[Path, ...]:
    """Return the links by which systemd starts the unit."""
    return (paths.units / "multi-user.target.wants" / BOOT_UNIT,)


def unit_text(paths: Paths) -> str:
    """Return the unit that loads the confirmed rules before the first address is set, agent or not."""
    return f"""\
# Written by `archipel firewall`: loads what was confirmed, before there is a network. `archipel firewall off` removes it.
[Unit]
Description=Archipel's firewall
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists={boot_file(paths)}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={NFT} -f {boot_file(paths)}
ExecStop=-{NFT} delete table inet {TABLE}

[Install]
WantedBy=multi-user.target
"""
