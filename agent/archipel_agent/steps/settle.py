"""Settle what this site is: identity, names, addresses, networks, tokens. Kept before anything of it is used."""

import json
from dataclasses import replace
from pathlib import Path

from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.decide import Unsettled, settle
from archipel_contract.names import new_site_id
from archipel_contract.site import Desired

STOOD_BEFORE = "stood_before"
WAS_STOPPED = "was_stopped"
TOKEN_BYTES = 24  # 192 random bits, as many as k3s takes for a token it makes itself (16 bytes) and more


def run(context: Context) -> str:
    """Write the desired site document and the tokens, once; asking again keeps both."""
    store = context.store
    before = store.site() or store.site("desired")
    site_id = before.site_id if before else new_site_id(context.ports.entropy.bytes)
    try:
        document = settle(context.options, context.ports.machine.facts(), before, context.node_id, site_id)
    except Unsettled as error:
        raise StepFailed(error.finding, refused=True) from error
    if store.value("token") is None and not document.adopted:  # the token of an adopted k3s stays k3s' own
        # Both or none: a k3s that has run without a token for agents refuses its second start with one, because
        # cred/passwd is then newer than its copy in the datastore (seen on 1.36.3; k3s-io/k3s#8066).
        server, agent = (context.ports.entropy.bytes(TOKEN_BYTES).hex() for _ in range(2))
        store.keep(token=server, agent_token=agent)
    if store.site() is None and store.value(STOOD_BEFORE) is None:
        store.keep(**{STOOD_BEFORE: json.dumps([str(path) for path in _standing(context)])})
    current = store.site()
    if current is not None and current.desired is Desired.STOPPED:
        # The wish to run holds from now on, whatever becomes of this job; undone with it.
        store.keep(**{WAS_STOPPED: "yes"})
        store.keep_sites({"current": replace(current, desired=Desired.RUNNING), "desired": document})
    else:
        store.keep_site(document, "desired")
    node = document.nodes[0]
    return f"node {node.node_name} at {document.network.node_ip} on {document.network.interface}"


def undo(context: Context) -> None:
    """Forget the document unless a site is in force; the token goes only with the data it opens."""
    current = context.store.site()
    if current is not None and context.store.value(WAS_STOPPED):
        context.store.keep_site(replace(current, desired=Desired.STOPPED))
        context.store.keep(**{WAS_STOPPED: None})
    context.store.keep_site(None, "desired")
    if current is None:
        context.store.keep(**{"token": None, "agent_token": None, STOOD_BEFORE: None})


def _standing(context: Context) -> tuple[Path, ...]:
    """Return what a site put into k3s' places before us: drop-ins, registries, image archives. It is never removed."""
    places = (context.paths.k3s_settings, context.paths.k3s_data)
    return tuple(path for place in places for path in context.ports.disk.files(place))


def stood_before(context: Context) -> frozenset[Path]:
    """Return the files that were there before the first `up` and therefore stay after `remove`."""
    kept = context.store.value(STOOD_BEFORE)
    return frozenset(Path(text) for text in json.loads(kept)) if kept else frozenset()


def clear(context: Context, place: Path) -> None:
    """Remove one of k3s' places but what stood there before, and its parent if nothing else is in it."""
    disk = context.ports.disk
    disk.remove_tree(place, keep=stood_before(context))
    if disk.exists(place.parent) and not disk.names(place.parent):
        disk.remove_tree(place.parent)


STEP = Step(slug="settle", title="Settle names and addresses", run=run, undo=undo)
