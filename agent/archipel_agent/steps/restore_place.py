"""Steps of a restore that make the machine that site: move aside what lived here, settle the document, place the data.

The site is the same: id, node name, networks, token, authorities. The machine is another one: it keeps its own node id and
its own identity towards a fleet, and its address is settled anew.
"""

import json
from dataclasses import replace
from pathlib import Path

from archipel_agent.backup import record
from archipel_agent.backup.manifest import ETCD
from archipel_agent.checks.addresses import candidates
from archipel_agent.host import tree
from archipel_agent.host.privileged import is_sandboxed
from archipel_agent.ports import CommandFailed
from archipel_agent.steps import get_k3s, settle, source, stopping, waiting
from archipel_agent.steps.backup_common import explained, failed
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.decide import Unsettled
from archipel_agent.steps.decide import settle as decide
from archipel_agent.steps.options import Options
from archipel_agent.steps.restore_read import LAST, READ, is_through, kept, laid_out
from archipel_agent.steps.settle import STOOD_BEFORE, WAS_STOPPED
from archipel_agent.steps.write_config import wanted
from archipel_contract.site import Desired, K3sBinary, NodeSpec, SiteDocument

ASIDE, PLACED, RESET = "restore_aside", "restore_placed", "restore_reset"
OF_A_SITE = ("server", "storage")  # below k3s' data directory: what makes it that cluster
RESET_SECONDS = 300.0
RESET_DONE = "Managed etcd cluster membership has been reset"


def aside(context: Context) -> Path:
    """Return where the data that lived here is kept; the number is that of the backup that took its place."""
    return context.paths.k3s_data.with_name(f"k3s.aside-{kept(context)[0].sequence:06}")


def nothing_to_move(context: Context) -> str | None:
    """Nothing to do where nothing lives, or where it was moved before."""
    if context.store.value(ASIDE) == "moved":
        return f"kept in {aside(context)}"
    if is_through(context) or not context.options.aside or context.store.value(PLACED) is not None:
        return "nothing lives here"
    return None


def move_aside(context: Context) -> str:
    """Stop k3s and its pods, and keep its data under another name; nothing is deleted."""
    context.store.keep(**{ASIDE: "moving"})
    if context.store.site() is not None:
        context.ports.k3s.stop()
        stopping.stop_pods(context)
    with explained(context):
        for name in OF_A_SITE:
            tree.move(context.paths.k3s_data / name, aside(context) / name)
    context.store.keep(**{ASIDE: "moved"})
    return f"what lived here is kept in {aside(context)}"


def move_back(context: Context) -> None:
    """Put it back where it was, with its settings, and start it."""
    with explained(context):
        for name in OF_A_SITE:
            tree.move(aside(context) / name, context.paths.k3s_data / name)
        context.ports.disk.remove_tree(aside(context))
    context.store.keep(**{ASIDE: None})
    current = context.store.site()
    if current is not None and current.desired is Desired.RUNNING:
        for path, (content, mode) in wanted(context).items():
            context.ports.disk.write(path, content, mode)
        waiting.start(context)


def settle_document(context: Context) -> str:
    """Write the desired document: the site's own, on this machine."""
    _, restored = kept(context)
    store = context.store
    try:
        document = at_home(context, restored.document)
    except Unsettled as error:
        raise StepFailed(error.finding) from error
    if store.site() is None and store.value(STOOD_BEFORE) is None:
        places = (context.paths.k3s_settings, context.paths.k3s_data)
        standing = [str(path) for place in places for path in context.ports.disk.files(place)]
        store.keep(**{STOOD_BEFORE: json.dumps(standing)})
    if store.value("restore_token_before") is None:  # else a cut came right after these were kept
        store.keep(
            token=restored.token,
            agent_token=restored.agent_token or None,
            restore_token_before=store.value("token"),
            restore_agent_token_before=store.value("agent_token"),
        )
    store.keep_site(document, "desired")
    return f"node {document.nodes[0].node_name} at {document.network.node_ip} on {document.network.interface}"


def at_home(context: Context, restored: SiteDocument) -> SiteDocument:
    """Return the site's document for this machine; raise Unsettled where the address is a choice nobody has made."""
    asked, facts = context.options, context.ports.machine.facts()
    address = asked.node_ip
    known = {one.address for one in candidates(facts, with_virtual=False)}
    if not address and not asked.interface and restored.network.node_ip in known:
        address = restored.network.node_ip
    wishes = Options(node_ip=address, interface=asked.interface)
    here = decide(wishes, facts, None, context.node_id, restored.site_id).network
    node = NodeSpec(
        node_id=context.node_id, node_name=restored.nodes[0].node_name, role=restored.nodes[0].role
    )
    before = context.store.site()
    return replace(
        restored,
        network=replace(restored.network, node_ip=here.node_ip, interface=here.interface),
        nodes=(node,),
        adopted=False,  # on this machine Archipel sets k3s up, whoever did it on the old one
        desired=Desired.RUNNING,
        k3s=before.k3s if before is not None else K3sBinary(path="", version="", sha256=""),
    )


def is_settled(context: Context) -> str | None:
    """Nothing to do when the document was written for this restore."""
    if is_through(context):
        return "done before"
    desired = context.store.site("desired")
    token = context.store.value("token")
    if context.store.value(READ) is None or desired is None or token != kept(context)[1].token:
        return None
    return "settled before" if desired.site_id == kept(context)[0].site_id else None


def unsettle(context: Context) -> None:
    """Forget the document, and the token with it unless a site is in force."""
    before = context.store.value("restore_token_before")
    if context.store.site() is None:
        settle.undo(context)
    else:
        context.store.keep_site(None, "desired")
        context.store.keep(token=before or context.store.value("token"), **{WAS_STOPPED: None})
        if before is not None:
            context.store.keep(agent_token=context.store.value("restore_agent_token_before"))
    context.store.keep(restore_token_before=None, restore_agent_token_before=None)


def is_placed(context: Context) -> str | None:
    """Nothing to do when everything is where it belongs."""
    placed = context.store.value(PLACED) or ""
    return "in place" if is_through(context) or placed.startswith("placed") else None


def put_in_place(context: Context) -> str:
    """Move the data where k3s looks for it, and copy settings; what the site had put on this machine itself stays."""
    context.store.keep(**{PLACED: context.store.value(PLACED) or "[]"})
    root, disk = laid_out(context.paths), context.ports.disk
    data = context.paths.k3s_data.relative_to(context.paths.root)
    with explained(context):
        tree.move(root / data, context.paths.k3s_data)
        wanted_files = tuple(file for file in disk.files(root) if not file.is_symlink())
        files = tuple(file for file in wanted_files if not _stays(context, _target(context, file)))
        # Known before the first is laid, so that whatever is laid can be taken out again.
        laid = json.loads(context.store.value(PLACED) or "[]") + [
            str(_target(context, file)) for file in files
        ]
        context.store.keep(**{PLACED: json.dumps(laid)})
        for file in files:
            _lay(context, file, _target(context, file))
        disk.flush(context.paths.k3s_data)
        disk.remove_tree(root)
    context.store.keep(**{PLACED: "placed " + json.dumps(laid)})
    stays = len(wanted_files) - len(files)
    return f"in place; {stays} settings of this machine stay" if stays else "in place"


def _target(context: Context, file: Path) -> Path:
    return context.paths.root / file.relative_to(laid_out(context.paths))


def _stays(context: Context, target: Path) -> bool:
    """Whether a file describes the machine that is here, such as agent.toml, rather than the site."""
    return target.is_relative_to(context.paths.settings) and context.ports.disk.exists(target)


def _lay(context: Context, file: Path, target: Path) -> None:
    """Copy a file into place; another one that stands there is kept aside first."""
    disk = context.ports.disk
    if disk.exists(target) and disk.sha256(target) == disk.sha256(file):
        return
    before = aside(context) / target.relative_to(context.paths.root)
    if disk.exists(target) and not disk.exists(before):
        disk.copy(target, before, disk.mode(target) or 0o600)
    disk.copy(file, target, disk.mode(file) or 0o600)


def take_out(context: Context) -> None:
    """Remove what was put in place, but what stood there before; what was kept aside for it comes back."""
    placed = context.store.value(PLACED)
    if placed is None:
        return
    stood = settle.stood_before(context) if context.store.site() is None else frozenset()
    disk = context.ports.disk
    with explained(context):
        for name in OF_A_SITE:
            disk.remove_tree(context.paths.k3s_data / name, keep=stood)
        for target in map(Path, json.loads(placed.removeprefix("placed "))):
            before = aside(context) / target.relative_to(context.paths.root)
            if disk.exists(before):
                disk.copy(before, target, disk.mode(before) or 0o600)
                disk.remove(before)
            elif target not in stood:
                disk.remove(target)
                _tidy(context, target.parent)
        if context.store.value(ASIDE) is None:
            disk.remove_tree(aside(context))
        if context.store.site() is None:
            settle.clear(context, context.paths.k3s_data)
    context.store.keep(**{PLACED: None, RESET: None})


def _tidy(context: Context, directory: Path) -> None:
    """Remove directories that only what was laid there had made."""
    disk = context.ports.disk
    while directory != context.paths.root and disk.exists(directory) and not disk.names(directory):
        disk.remove_tree(directory)
        directory = directory.parent


def get(context: Context) -> str:
    """Get the k3s that was asked for, the one that is here, or the very version the backup was made with."""
    version = kept(context)[0].k3s_version
    asked = context.options.k3s or (version if source.chosen_file(context) is None else "")
    return get_k3s.run(replace(context, options=replace(context.options, k3s=asked)))


def needs_no_reset(context: Context) -> str | None:
    """Nothing to do for SQLite, whose file is the datastore."""
    if is_through(context):
        return "done before"
    if context.store.value(READ) is not None and kept(context)[0].datastore != ETCD:
        return "SQLite needs none"
    return "done before" if context.store.value(RESET) else None


def reset(context: Context) -> str:
    """Have k3s make an etcd of one member from the snapshot; in a unit of its own where the agent is confined."""
    snapshot = context.paths.k3s_data / "server/db/snapshots/archipel"
    argv = [context.site().k3s.path, "server", "--cluster-reset", f"--cluster-reset-restore-path={snapshot}"]
    argv += ["--data-dir", str(context.paths.k3s_data), "--config", str(context.paths.k3s_config)]
    if is_sandboxed():
        argv = ["systemd-run", "--wait", "--pipe", "--collect", "--quiet", *argv]
    context.progress.waiting_for("etcd to be made from the snapshot")
    try:
        # It ends by itself, with 0 or 1 by its version (k3s pkg/cluster/managed.go); what it said tells.
        done = context.ports.runner.run(argv, timeout=RESET_SECONDS, ok=(0, 1))
    except CommandFailed as error:
        raise failed(context, "backup-datastore", str(error)) from error
    if RESET_DONE not in done.stderr + done.stdout:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
        raise failed(context, "backup-datastore", f"k3s could not make etcd from the snapshot: {last[:300]}")
    context.store.keep(**{RESET: "done"})
    return "etcd has one member, this one"


def is_noted(context: Context) -> str | None:
    """Nothing to do when a cut came after it."""
    site = context.store.site()
    return f"{site.name} lives here now" if is_through(context) and site is not None else None


def note(context: Context) -> str:
    """Write down which backup this site goes on from."""
    manifest, _ = kept(context)
    store = context.store
    number = max(manifest.sequence, record.sequence(store))
    moved = f" What lived here is kept in {aside(context)}." if store.value(ASIDE) else ""
    said = (
        f"{manifest.site_name} lives here now, from backup {manifest.sequence} of {manifest.made_at}.{moved} "
        f"The old machine must not be started again with its old disk."
    )
    store.keep(
        **{record.SEQUENCE: str(number), READ: None, ASIDE: None, PLACED: None, RESET: None},
        restore_token_before=None,
        restore_agent_token_before=None,
    )
    return said


ASIDE_STEP = Step(
    slug="restore-aside",
    title="Move aside what lives here",
    check=nothing_to_move,
    run=move_aside,
    undo=move_back,
)
SETTLE = Step(
    slug="restore-settle",
    title="Settle names and addresses",
    check=is_settled,
    run=settle_document,
    undo=unsettle,
)
PLACE = Step(
    slug="restore-place",
    title="Put data and settings in place",
    check=is_placed,
    run=put_in_place,
    undo=take_out,
)
GET = Step(slug="get-k3s", title="Get k3s", check=get_k3s.check, run=get, undo=get_k3s.undo)
RESET_STEP = Step(slug="restore-etcd", title="Make etcd from its snapshot", check=needs_no_reset, run=reset)
NOTE = Step(slug=LAST, title="Write down where the site comes from", check=is_noted, run=note)
