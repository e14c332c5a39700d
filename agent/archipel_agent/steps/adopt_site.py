"""Second step of `adopt`: write the site document that describes the k3s that is here. None of k3s' files is written."""

from archipel_agent.k3s import parse
from archipel_agent.k3s.by_hand import marker
from archipel_agent.ports import CommandFailed
from archipel_agent.steps import adopt_look, identity, in_force
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.names import new_site_id
from archipel_contract.site import K3sBinary, NodeSpec, Origin, SiteDocument
from archipel_contract.status import ServiceState


def check(context: Context) -> str | None:
    """Nothing to do when it is described; one adopted before keeps its document."""
    site = context.store.site() or context.store.site("desired")
    return f"described as site {site.name}" if site is not None and site.adopted else None


def run(context: Context) -> str:
    """Write the document, and remember a k3s that was started by hand."""
    adopt_look.run(context)  # after a cut it may only be starting
    document = describe(context)
    if context.ports.k3s.status().state is ServiceState.ABSENT:
        context.ports.disk.write(marker(context.paths), b"adopted from whoever started it by hand\n", 0o600)
    context.store.keep_site(document, "desired")
    return f"site {document.name}, node {document.nodes[0].node_name} on {document.network.interface}"


def describe(context: Context) -> SiteDocument:
    """Return the document that describes what is here; raise StepFailed."""
    found = adopt_look.look(context)
    before = context.store.site("desired")
    return SiteDocument(
        site_id=before.site_id if before else new_site_id(context.ports.entropy.bytes),
        generation=0,
        origin=Origin.LOCAL,
        name=context.options.name or context.ports.machine.facts().hostname,
        network=found.network,
        k3s=program(context),
        nodes=(NodeSpec(node_id=context.node_id, node_name=found.node_name),),
        components=found.components,
        adopted=True,
    )


def program(context: Context) -> K3sBinary:
    """Return the program that k3s is started from, which is not ours; raise StepFailed."""
    path = adopt_look.binary(context)
    try:
        if path is None:
            raise CommandFailed("there is no k3s on PATH")
        version = parse.version(context.ports.k3s.version_text(path))
        return K3sBinary(path=str(path), version=version, sha256=context.ports.disk.sha256(path))
    except (CommandFailed, parse.Unreadable) as error:
        raise StepFailed(finding("k3s-truncated", path=str(path or "k3s"), problem=str(error))) from error


def undo(context: Context) -> None:
    """Forget the document, unless the site is in force."""
    if context.store.site() is None:
        context.store.keep_site(None, "desired")
        context.ports.disk.remove(marker(context.paths))


STEP = Step(slug="adopt-site", title="Describe it as a site", check=check, run=run, undo=undo)
ADOPT = (adopt_look.STEP, STEP, identity.STEP, in_force.STEP)
