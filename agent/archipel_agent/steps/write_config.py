"""Write k3s' configuration from the site document."""

from pathlib import Path

from archipel_agent.k3s.config import k3s_files
from archipel_agent.steps.adopt_common import hands_off
from archipel_agent.steps.base import Context, Step
from archipel_agent.steps.settle import clear, stood_before
from archipel_agent.steps.start import RESTART_FLAG
from archipel_contract.status import ServiceState

PRIVATE_DIRECTORY = 0o700


def wanted(context: Context) -> dict[Path, tuple[bytes, int]]:
    """Return the files for this node of the site with content and mode."""
    token = context.store.value("token") or ""
    apart = context.store.value("agent_token") or ""
    return k3s_files(context.site(), context.node_id, token, context.paths, apart)


def check(context: Context) -> str | None:
    """Nothing to do when every file is there as wanted."""
    disk = context.ports.disk
    if _differing(context) or context.options.hardening not in ("", context.site().hardening):
        return None  # in a plan the document of the wish is not written yet
    if not _is_the_sites(context) and disk.mode(_additions(context)) != PRIVATE_DIRECTORY:
        return None
    return "as the site document says"


def run(context: Context) -> str:
    """Write every file, and make the directories a site may put its own additions into."""
    disk = context.ports.disk
    files = _differing(context)
    if context.ports.k3s.status().state in (ServiceState.RUNNING, ServiceState.STARTING):
        context.store.keep(**{RESTART_FLAG: "yes"})
    for path, (content, mode) in files.items():
        disk.write(path, content, mode)
    if not _is_the_sites(context):
        disk.make_directory(_additions(context), PRIVATE_DIRECTORY)
    return f"{len(files)} files in {context.paths.k3s_settings}"


def _differing(context: Context) -> dict[Path, tuple[bytes, int]]:
    """Return the files that are not there as wanted: what is right is not written again."""
    disk = context.ports.disk
    return {
        path: (content, mode)
        for path, (content, mode) in wanted(context).items()
        if not disk.exists(path) or disk.read(path) != content or disk.mode(path) != mode
    }


def _additions(context: Context) -> Path:
    return context.paths.k3s_settings / "config.yaml.d"


def _is_the_sites(context: Context) -> bool:
    """Whether the site had made the directory for its additions before us; its mode is then the site's too."""
    return any(path.is_relative_to(_additions(context)) for path in stood_before(context))


def undo(context: Context) -> None:
    """Remove the files of a site that never came into force; a site's own drop-ins stay."""
    if context.store.site() is not None:
        return
    clear(context, context.paths.k3s_settings)


STEP = hands_off(
    Step(slug="write-config", title="Write the configuration of k3s", check=check, run=run, undo=undo)
)
