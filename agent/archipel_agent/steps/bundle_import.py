"""Import a bundle: verify whose it is, take what this machine lacks of it, and keep it. A bad one changes nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archipel_agent import clocks
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract import wire
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

if TYPE_CHECKING:
    from archipel_agent.bundles.opening import Found
    from archipel_agent.bundles.store import BundleStore
    from archipel_contract.bundle.format import BundleFile, BundleRefused, Manifest

SHOWN_EVERY = 0.5  # seconds between two amounts that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the state remembers of bundles. `sequence` and `highest` are of the highest ever taken."""

    current: str = ""
    previous: str = ""
    sequence: int = 0
    highest: str = ""
    source: str = ""  # where the current one was taken from

    @property
    def kept(self) -> frozenset[str]:
        """The bundles that stay: the one in use and the one before, as the way back."""
        return frozenset({self.current, self.previous}) - {""}


def facts(context: Context) -> Facts:
    """Return what is remembered."""
    kept = context.store.value("bundles")
    return wire.from_json(Facts, kept) if kept else Facts()


def bundles(context: Context) -> "BundleStore":
    """Return the bundles of this machine."""
    from archipel_agent.bundles.store import BundleStore  # noqa: PLC0415 - loaded by machines that use one

    return BundleStore(context.ports.disk, context.paths)


def current(context: Context) -> "Manifest | None":
    """Return the bundle this job was given, once it was imported; None without one."""
    known = facts(context)
    if not context.options.bundle or known.source != context.options.bundle:
        return None
    return bundles(context).manifest(known.current)


def check(context: Context) -> str | None:
    """Nothing to do without a bundle, or with one that is here whole; one that may not be used is refused here."""
    if not context.options.bundle:
        return "none given"
    known = facts(context)
    if known.source == context.options.bundle and not context.ports.disk.exists(Path(known.source)):
        held = bundles(context).manifest(known.current)
        if held is not None and bundles(context).is_whole(held):
            return f"imported; {known.source} is not there any more"
    try:
        found = _found(context)
    except _refusal() as refused:
        raise StepFailed(shown(context, refused), refused=True) from refused
    if (
        known.current == found.manifest.id
        and known.source == context.options.bundle
        and bundles(context).is_whole(found.manifest)
    ):
        return f"bundle {found.manifest.id}, sequence {found.manifest.sequence}, is here"
    return None


def run(context: Context) -> str:
    """Take what is lacking, then hold the bundle; whatever is wrong with it leaves nothing behind.

    A source that cannot be read any more is the exception: whole contents taken from it stay for the next try.
    """
    from archipel_agent.bundles.importing import bring, megabytes  # noqa: PLC0415 - as in `bundles`

    store = bundles(context)
    try:
        found = _found(context)
        more_room = sum(one.size for one in found.manifest.files if one.install.value in LAID_OUT)
        done = bring(
            store,
            found,
            lambda one: _elsewhere(context, one),
            more_room if context.verb in ("up", "restore") else 0,
            _Teller(context).tell,
        )
    except _refusal() as refused:
        if refused.code != "bundle-unreadable":
            store.sweep(facts(context).kept)
        raise StepFailed(shown(context, refused), refused=True) from refused
    context.verified.update(one.sha256 for one in found.manifest.files)
    _hold(context, found)
    for remark in found.manifest.remarks():
        context.progress.line(remark)
    taken = f"{megabytes(done.read_bytes)} taken, {megabytes(done.kept_bytes)} were here"
    return f"bundle {found.manifest.id}, sequence {found.manifest.sequence}, signed by {found.opened.signer}; {taken}"


def undo(context: Context) -> None:
    """Remove what no bundle that is held needs."""
    bundles(context).sweep(facts(context).kept)


LAID_OUT = (
    "k3s",
    "import",
    "apply",
)  # values of Install whose files are copied from the store to their place


class _Teller:
    """Shows the amount, not more often than anybody reads it, and lets the job be stopped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown = -SHOWN_EVERY

    def tell(self, done: int, total: int) -> None:
        clock = self._context.ports.clock
        clock.wait(0)  # raises Cancelled once the job was asked to stop
        if clock.monotonic() - self._shown >= SHOWN_EVERY:
            self._shown = clock.monotonic()
            self._context.progress.waiting_for(f"the import: {done:,} of {total:,} bytes")


def _hold(context: Context, found: "Found") -> None:
    store, known, manifest = bundles(context), facts(context), found.manifest
    store.hold(manifest.id, found.opened.body, found.opened.signature)
    is_highest = manifest.sequence >= known.sequence
    now = Facts(
        current=manifest.id,
        previous=known.previous if known.current == manifest.id else known.current,
        sequence=max(known.sequence, manifest.sequence),
        highest=manifest.id if is_highest else known.highest,
        source=context.options.bundle,
    )
    context.store.keep(bundles=json.dumps(wire.to_data(now)))
    store.sweep(now.kept)


def _found(context: Context) -> "Found":
    """Return the bundle that was given, verified and for this machine; raise BundleRefused."""
    from archipel_agent.bundles import judging, keys, opening  # noqa: PLC0415 - as in `bundles`

    disk, known = context.ports.disk, facts(context)
    floor = int(clocks.floor(context.store).timestamp() * 1000)
    architecture = context.ports.machine.facts().architecture
    ring = keys.keyring(disk, context.paths, floor)
    found = opening.open_path(disk, Path(context.options.bundle), ring.verify, architecture)
    standing = judging.Standing(architecture=architecture, sequence=known.sequence, bundle_id=known.highest)
    judging.judge(found.manifest, standing, context.options.allow_older)
    return found


def _elsewhere(context: Context, one: "BundleFile") -> Path | None:
    """Return a file of the site that has this content: the k3s in use, or an archive that was laid out."""
    disk = context.ports.disk
    for path in (context.paths.k3s_binary, context.paths.k3s_images / one.name):
        try:
            if disk.size(path) == one.size and disk.sha256(path) == one.sha256:
                return path
        except OSError:
            continue
    return None


def _refusal() -> "type[BundleRefused]":
    from archipel_contract.bundle.format import BundleRefused  # noqa: PLC0415 - as in `bundles`

    return BundleRefused


def shown(context: Context, refused: "BundleRefused") -> Finding:
    """Return the finding of a refusal."""
    named = {"path": context.options.bundle, "problem": refused.detail, **refused.params}
    return finding(refused.code, (refused.detail,), None, **named)


STEP = Step(slug="bundle-import", title="Import the bundle", check=check, run=run, undo=undo)
