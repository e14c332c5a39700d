"""Makes the keeper of this machine's identity, and takes over what was left for it to enrol with.

A token comes by `archipel enrol`, or lies in the file `enrol.token` of the settings directory: alone, beside the setting
`fleet`, or as a whole link. It is moved to the agent's own state at the first start, and the file says so from then on.
"""

import functools
import hashlib
import logging
from pathlib import Path

from archipel_agent import clocks
from archipel_agent.host.enroller import HttpsEnroller
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.identity.exchange import Parts
from archipel_agent.identity.files import IdentityFiles
from archipel_agent.identity.keeper import IdentityKeeper
from archipel_agent.paths import Paths, identity_of, token_file
from archipel_agent.ports import Disk, Enroller, Files, Ports
from archipel_agent.settings import Settings
from archipel_agent.state.database import StateUnusable
from archipel_agent.state.store import Store
from archipel_contract.facts import NodeFacts
from archipel_contract.trust.enrolment import Request
from archipel_contract.trust.token import TokenInvalid, invitation

LOG = logging.getLogger(__name__)
COMMENT = "#"
TAKEN = """\
# The token that was here has been taken over by the agent and is not kept in this file any more.
# See how the enrolment stands: archipel status
"""


def identity_here(node_id: str, paths: Paths, disk: Disk) -> DeviceIdentity:
    """Return the identity that lies on the disk; see its `problem`."""
    return DeviceIdentity(node_id, IdentityFiles(disk, identity_of(paths)))


def keeper_of(
    identity: DeviceIdentity, ports: Ports, paths: Paths, store: Store, settings: Settings, enroller: Enroller
) -> IdentityKeeper:
    """Return the keeper of `identity`; what was left to enrol with has been taken over."""
    wanted = _left_to_enrol_with(identity, ports.disk, token_file(paths), settings.fleet)
    parts = Parts(
        identity=identity,
        enroller=enroller,
        clock=ports.clock,
        entropy=ports.entropy,
        time=functools.partial(_time, store, ports),
        believe=functools.partial(_believe, store, ports),
        about=functools.partial(_about, store, ports),
    )
    made = IdentityKeeper(parts)
    if wanted:
        made.unusable(wanted)
    return made


def real_enroller(settings: Settings) -> Enroller:
    """Return the one that speaks HTTPS, through the proxy of the settings if there is one."""
    return HttpsEnroller(settings.proxy)


def _time(store: Store, ports: Ports) -> clocks.TrustedTime:
    facts = ports.machine.facts()
    return clocks.trusted(store, ports.clock, ports.machine.clock_synchronized(), facts.has_rtc)


def _believe(store: Store, ports: Ports, at_ms: int) -> None:
    """Take the fleet's time. A disk that keeps nothing is no reason not to enrol."""
    try:
        clocks.believe(store, at_ms, ports.clock)
    except StateUnusable as error:
        LOG.warning("the fleet's time cannot be kept: %s", error)


def _about(store: Store, ports: Ports) -> Request:
    facts, site = ports.machine.facts(), store.site()
    return Request(
        csr="",
        node_id="",
        site_id=site.site_id if site else "",
        site_name=site.name if site else "",
        hostname=facts.hostname,
        model=facts.model,
        fingerprint=fingerprint(facts),
        rehearsed=ports.rehearsed,
    )


def fingerprint(facts: NodeFacts) -> str:
    """Return what tells two machines with the same card apart: a digest of serial number and network addresses burnt in."""
    marks = [facts.serial, *sorted(nic.mac for nic in facts.nics if not nic.virtual)]
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:32]


def _left_to_enrol_with(identity: DeviceIdentity, disk: Disk, path: Path, address: str) -> str:
    """Take over a token or link that was left, and return what is wrong with it, if anything."""
    try:
        left = _said(disk, path)
        if not left and (not address or _is_settled(identity)):
            return ""
        link = left if left.startswith("https://") else f"{address}/#{left}" if left else address
        if not link.startswith("https://"):
            return f"{path} has a token, but the setting `fleet` does not say where to enrol"
        wanted = invitation(link).text
        if left:
            # Rewritten as it is first: where that fails the token would be taken over again at every start.
            disk.write(path, disk.read(path), 0o600)
        identity.invite(wanted)
        if left:
            disk.write(path, TAKEN.encode(), 0o600)
    except TokenInvalid as error:
        return str(error)
    except OSError as error:
        LOG.warning("what was left to enrol with cannot be taken over: %s", error)
        return f"{path} cannot be taken over: {error.strerror or error}"
    return ""


def _is_settled(identity: DeviceIdentity) -> bool:
    """Whether the setting `fleet` alone asks for nothing: the device is enrolled, enrols already, or has left on purpose."""
    files = identity.files
    return (
        identity.has_certificate
        or identity.problem is not None
        or files.has_left()
        or bool(files.invitation())
    )


def _said(disk: Files, path: Path) -> str:
    """Return the first line that is no comment, empty if there is none."""
    if not disk.exists(path):
        return ""
    lines = (line.strip() for line in disk.read(path).decode(errors="replace").splitlines())
    return next((line for line in lines if line and not line.startswith(COMMENT)), "")
