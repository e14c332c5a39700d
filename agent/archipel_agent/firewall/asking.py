"""Reads how the firewall stands: the files through the Disk port, the kernel through nft or, confined, through systemd.

Called for the doctor and for turns in which something is not OK, never at rest.
"""

from archipel_agent.firewall import rules
from archipel_agent.firewall.declared import DEFAULT, DeclarationInvalid, parse
from archipel_agent.firewall.files import BOOT_UNIT, boot_file, declaration
from archipel_agent.firewall.standing import TABLE, Stand, Standing, read
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed, Files, Runner

CLUSTER_NETWORKS = ("10.42.0.0/16", "10.43.0.0/16")  # those k3s chooses, before there is a site


def is_declared(disk: Files, paths: Paths, networks: tuple[str, ...]) -> bool | None:
    """Whether the confirmed rules are those that the declaration gives now; None where it cannot be read."""
    try:
        kept = disk.read(boot_file(paths)).decode()
        path = declaration(paths)
        openings = parse(disk.read(path).decode()) if disk.exists(path) else DEFAULT
    except (DeclarationInvalid, UnicodeDecodeError, OSError):
        return None
    return kept == rules.ruleset(openings, networks)


def stand(runner: Runner) -> Stand | None:
    """Return how it stands in the kernel; None where that cannot be told."""
    try:
        listed = runner.run(["nft", "-j", "list", "table", "inet", TABLE], ok=(0, 1))
        if listed.code == 0:
            return read(listed.stdout)
        if "No such file" in listed.stderr:
            return Stand(standing=Standing.OFF)
        # The agent's unit may not ask the kernel; systemd knows whether the rules were loaded.
        state = runner.run(["systemctl", "is-active", BOOT_UNIT], ok=(0, 3, 4)).stdout.strip()
    except (CommandFailed, ValueError, LookupError):
        return None
    return Stand(standing=Standing.ON if state == "active" else Standing.OFF)
