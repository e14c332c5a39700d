"""Get k3s: find, download or copy the stock binary, and prove that it is whole and for this machine."""

from dataclasses import replace
from pathlib import Path

from archipel_agent.k3s import parse, release
from archipel_agent.ports import CommandFailed, FetchFailed
from archipel_agent.steps.adopt_common import refuse
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.source import chosen_file, is_version, of_bundle
from archipel_contract.catalogue import finding
from archipel_contract.site import K3sBinary

PROGRAM = 0o755
PART = ".part"  # as the Fetcher port names what it has so far


def check(context: Context) -> str | None:
    """Nothing to do when the site's binary is in place and nobody asked for another."""
    site = context.site()
    path = Path(site.k3s.path)
    if site.adopted and (context.options.k3s or of_bundle(context)):
        refuse(context, STEP.title)
    if context.options.k3s or not site.k3s.path or not context.ports.disk.exists(path):
        return None
    brought = of_bundle(context)
    if context.ports.disk.sha256(path) != site.k3s.sha256 or (brought and brought.sha256 != site.k3s.sha256):
        return None
    return f"{site.k3s.version} in {path}"


def run(context: Context) -> str:
    """Put the binary in place and write down what it is."""
    if context.site().adopted:  # its owner has put another one in its place
        from archipel_agent.steps.adopt_site import program  # noqa: PLC0415 - an agent at rest does without adopting

        binary = program(context)
    else:
        binary = _from_release(context) if _wants_release(context) else _from_file(context)
    context.store.keep_site(replace(context.site(), k3s=binary), "desired")
    return f"{binary.version} in {binary.path}"


def undo(context: Context) -> None:
    """Remove a binary we installed for a site that never came into force."""
    if context.store.site() is None and context.ports.disk.exists(context.paths.k3s_binary):
        desired = context.store.site("desired")
        if desired is not None and desired.k3s.installed_by_us:
            context.ports.disk.remove(context.paths.k3s_binary)
    # What a download has brought so far stays: the next try goes on from there, and its digest is checked in any case.
    begun = (path for path in context.ports.disk.files(context.paths.staging) if path.suffix == PART)
    context.ports.disk.remove_tree(context.paths.staging, keep=frozenset(begun))


def _wants_release(context: Context) -> bool:
    return is_version(context.options.k3s) or chosen_file(context) is None


def _from_file(context: Context) -> K3sBinary:
    source = chosen_file(context)
    assert source is not None  # _wants_release covers the other case
    disk = context.ports.disk
    if not disk.exists(source):
        raise StepFailed(finding("k3s-not-found", path=str(source)))
    digest = disk.sha256(source)
    _compare_with_sums_beside(context, source, digest)
    brought = of_bundle(context)
    if brought is not None and brought.sha256 != digest:
        named = {"path": str(source), "file": brought.name, "problem": "it was altered after the import"}
        raise StepFailed(finding("bundle-damaged", (str(source),), None, **named))
    version = _version(context, source) if brought is None else _version_of_blob(context, source)
    if (not context.options.k3s and brought is None) or source == context.paths.k3s_binary:
        ours = context.site().k3s
        installed = ours.installed_by_us and ours.path == str(source)
        return K3sBinary(path=str(source), version=version, sha256=digest, installed_by_us=installed)
    return _install(context, source, version, digest)


def _compare_with_sums_beside(context: Context, source: Path, digest: str) -> None:
    """A file taken from a release folder is held to the digests that lie beside it, if they do."""
    architecture = context.ports.machine.facts().architecture
    asset, short = release.ASSETS.get(architecture, ("k3s", architecture))
    sums = source.with_name(f"sha256sum-{short}.txt")
    if not context.ports.disk.exists(sums):
        return
    try:
        wanted = release.published_digest(context.ports.disk.read(sums).decode(errors="replace"), asset)
    except release.NotPublished:
        return
    if wanted != digest:
        raise StepFailed(finding("k3s-checksum", file=str(source), wanted=wanted, got=digest))


def _from_release(context: Context) -> K3sBinary:
    version = context.options.k3s or context.settings.k3s_version
    if not version:
        raise StepFailed(finding("k3s-not-found", path="PATH"))
    wanted = release.Release(
        base=context.settings.release_url.rstrip("/"),
        version=version,
        architecture=context.ports.machine.facts().architecture,
    )
    target = context.paths.staging / f"k3s-{version}"
    context.progress.waiting_for(f"the download of {version}")
    try:
        digest = release.download(wanted, context.ports.fetcher, context.ports.disk, target)
    except release.ChecksumWrong as error:
        raise StepFailed(
            finding("k3s-checksum", file=wanted.url(wanted.asset), wanted=error.wanted, got=error.got)
        ) from error
    except (FetchFailed, release.NotPublished) as error:
        raise StepFailed(finding("k3s-download", version=version, problem=str(error))) from error
    return _install(context, target, version, digest)


def _install(context: Context, source: Path, version: str, digest: str) -> K3sBinary:
    target = context.paths.k3s_binary
    before = context.store.site()
    is_ours = before is None or before.k3s.installed_by_us or not context.ports.disk.exists(target)
    context.store.keep_site(
        replace(
            context.site(),
            k3s=K3sBinary(path=str(target), version=version, sha256=digest, installed_by_us=is_ours),
        ),
        "desired",
    )
    context.ports.disk.copy(source, target, PROGRAM)
    if _version(context, target) != version and is_version(context.options.k3s):
        raise StepFailed(finding("k3s-truncated", path=str(target), problem=f"it is not {version}"))
    context.ports.disk.remove_tree(context.paths.staging)
    return K3sBinary(path=str(target), version=version, sha256=digest, installed_by_us=is_ours)


def _version_of_blob(context: Context, blob: Path) -> str:
    """Ask a k3s that lies under the name of its digest; the program goes by the name it is called with."""
    link = context.paths.state / "k3s"
    context.ports.disk.link(blob, link)
    try:
        return _version(context, link)
    finally:
        context.ports.disk.remove(link)


def _version(context: Context, binary: Path) -> str:
    try:
        return parse.version(context.ports.k3s.version_text(binary))
    except (CommandFailed, parse.Unreadable) as error:
        raise StepFailed(finding("k3s-truncated", path=str(binary), problem=str(error))) from error


STEP = Step(slug="get-k3s", title="Get k3s", check=check, run=run, undo=undo)
