"""What a firewall would do to those who come in today, so that a person sees it before. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archipel_agent.firewall.declared import Opening
from archipel_agent.ports import Listener

LOOPBACK = ("127.", "::1")
SSH_PARTS = 4  # of SSH_CONNECTION: their address and port, our address and port (sshd(8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """One thing that listens, and from where it can be reached with the rules on."""

    port: int
    protocol: str
    process: str
    reachable: bool
    origin: str = ""  # networks it is reachable from; "" is everywhere


def consequences(openings: Sequence[Opening], listeners: Iterable[Listener]) -> tuple[Consequence, ...]:
    """Return what becomes of each port that is open beyond loopback, by port."""
    found = {}
    for one in listeners:
        if one.address.startswith(LOOPBACK):
            continue
        fitting = [opening for opening in openings if opening.lets_in(one.port, one.protocol)]
        free = any(not opening.sources for opening in fitting)
        origin = "" if free else " ".join(sorted({net for opening in fitting for net in opening.sources}))
        found[one.port, one.protocol] = Consequence(
            port=one.port,
            protocol=one.protocol,
            process=one.process,
            reachable=bool(fitting),
            origin=origin,
        )
    return tuple(found[key] for key in sorted(found))


def shuts_out(openings: Sequence[Opening], ssh_connection: str) -> str:
    """Return the opening that is missing for the SSH connection a person works through (its SSH_CONNECTION), "" if none.

    That connection itself goes on, as established ones do; the next one would not come in.
    """
    parts = ssh_connection.split()
    if len(parts) != SSH_PARTS or not parts[3].isdigit():
        return ""
    source, port = parts[0].partition("%")[0], int(parts[3])
    if any(opening.lets_in(port, "tcp", source) for opening in openings):
        return ""
    return f"{port}/tcp from {source}"
