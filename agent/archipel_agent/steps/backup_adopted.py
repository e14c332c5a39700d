"""What a backup of an adopted site needs more: how its k3s is set, and its token. All of it is read; nothing is written."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.backup import collecting
from archipel_agent.backup.manifest import Adopted
from archipel_agent.k3s import existing
from archipel_agent.k3s.drift import MASKED
from archipel_agent.k3s.existing import EXTERNAL, Existing, NotReadable
from archipel_agent.paths import Paths
from archipel_agent.steps.backup_common import failed
from archipel_agent.steps.base import Context
from archipel_contract.site import SiteDocument

HIDDEN = "(not shown)"
STORAGE_PLACE = "default-local-storage-path"
OF_A_SERVER = (
    "::server:"  # a token of k3s in full is K10, the digest of the authority, the account, and the secret
)


def look(context: Context) -> Existing:
    """Return how the adopted k3s is set; raise StepFailed where a backup of it could not be restored."""
    try:
        found = existing.read(context.ports, context.paths)
    except NotReadable as error:
        raise failed(context, "backup-adopted-refused", f"how it is set is not known: {error}") from error
    if found.datastore == EXTERNAL:
        problem = "it keeps its objects in a database that is not on this machine"
        raise failed(context, "backup-adopted-refused", problem)
    token(context)
    return found


def described(found: Existing) -> Adopted:
    """Return what the manifest says of it: every setting, without secrets."""
    hidden = {key: (HIDDEN,) for key in found.arguments if key in MASKED}
    return Adopted(
        arguments={**found.arguments, **hidden}, network=found.network, components=found.components
    )


def document(site: SiteDocument, found: Existing) -> SiteDocument:
    """Return the site's document as its k3s is now: its owner may have changed it since it was adopted."""
    return replace(site, network=found.network, components=found.components)


def left_out(found: Existing, paths: Paths) -> tuple[str, ...]:
    """Return where its volumes lie if that is not where k3s has them: there they are not looked for."""
    place = found.arguments.get(STORAGE_PLACE, ("",))[-1]
    if not place or Path(place) == paths.k3s_data / collecting.STORAGE:
        return ()
    return (f"{place} (volumes outside of k3s' own place)",)


def token(context: Context) -> str:
    """Return the secret that opens the datastore, from k3s' own file; raise StepFailed."""
    path = context.paths.k3s_data / "server/token"
    try:
        text = context.ports.disk.read(path).decode(errors="replace").strip()
    except OSError as error:
        raise failed(context, "backup-adopted-refused", f"{path}: {error.strerror}") from error
    secret = text.rpartition(OF_A_SERVER)[2]
    if not secret:
        raise failed(context, "backup-adopted-refused", f"{path} is empty")
    return secret


def agent_token(context: Context, servers: str) -> str:
    """Return the secret by which agents join, empty where it is the servers' own; with another k3s would not start twice."""
    path = context.paths.k3s_data / "server/agent-token"
    try:
        secret = context.ports.disk.read(path).decode(errors="replace").strip().rpartition(":")[2]
    except OSError:
        return ""
    return "" if secret == servers else secret
