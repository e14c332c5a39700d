"""The steps of `remove`: what was brought is taken away, and what stays is listed.

`agent-only` takes the agent and its identity; k3s, its pods and its files run on. `keep-data` also takes k3s, but leaves
its data and settings for a later `up`. `everything` leaves the machine as it was.
"""

from archipel_agent.ports import CommandFailed
from archipel_agent.steps import host, identity, kernel, stopping
from archipel_agent.steps.adopt_common import refuse
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.settle import stood_before
from archipel_contract.catalogue import finding

AGENT_ONLY, KEEP_DATA, EVERYTHING = "agent-only", "keep-data", "everything"

# Directories that only k3s and its kubelet fill (k3s install.sh, its uninstall script, and what a run was seen to leave).
K3S_PLACES = (
    "var/lib/kubelet",
    "var/lib/cni",
    "var/log/pods",
    "var/log/containers",
    "run/k3s",
    "run/flannel",
)

# Kubelet makes these for volume plugins (its default volume-plugin-dir); whoever puts a plugin there keeps them.
PLUGIN_PLACES = (
    "usr/libexec/kubernetes/kubelet-plugins/volume/exec",
    "usr/libexec/kubernetes/kubelet-plugins/volume",
    "usr/libexec/kubernetes/kubelet-plugins",
    "usr/libexec/kubernetes",
)

# For a cluster that goes on, its API is worth waiting for: an account that stays behind is a way in.
API_PATIENCE_SECONDS = 120.0


def _only_agent(context: Context) -> str | None:
    return "k3s stays" if context.options.what == AGENT_ONLY else None


def _keeps_data(context: Context) -> str | None:
    return None if context.options.what == EVERYTHING else "kept"


def _not_of_others(context: Context) -> str | None:
    """Refuse to remove a k3s that is not ours; only the agent may go from an adopted site."""
    if context.options.what in (KEEP_DATA, EVERYTHING):
        refuse(context, "removing k3s")
    return None


def forget_identity(context: Context) -> str:
    """Remove the agent's account from the cluster while its API may still answer."""
    return identity.forget(context, 0.0 if context.options.what == EVERYTHING else API_PATIENCE_SECONDS)


def stop(context: Context) -> str:
    """Stop k3s and forget its service."""
    return stopping.stop(context)


def restore_kernel(context: Context) -> str:
    """Give the kernel its former settings."""
    kernel.restore(context)
    return "as before"


def remove_binary(context: Context) -> str:
    """Remove the k3s binary, if it was we who put it there."""
    site = context.store.site() or context.store.site("desired")
    if site is None or not site.k3s.installed_by_us:
        return "not ours, kept"
    context.ports.disk.remove(context.paths.k3s_binary)
    return f"{context.paths.k3s_binary} removed"


def remove_data(context: Context) -> str:
    """Remove k3s' data and settings but what the site itself had put there before."""
    disk, paths = context.ports.disk, context.paths
    kept = stood_before(context)
    try:
        for place in (paths.k3s_data, paths.k3s_settings, paths.at("etc/rancher/node")):
            disk.remove_tree(place, keep=kept)
        for name in K3S_PLACES:
            disk.remove_tree(paths.at(name))
        plugins = tuple(map(paths.at, PLUGIN_PLACES))
        for parent in (*plugins, paths.k3s_settings.parent, paths.k3s_data.parent):
            if disk.exists(parent) and not disk.names(parent):
                disk.remove_tree(parent)
    except (OSError, CommandFailed) as error:
        raise StepFailed(finding("job-failed", step="remove-data", problem=str(error))) from error
    return f"removed; {len(kept)} files that were there before stay" if kept else "removed"


def left_behind(context: Context) -> tuple[str, ...]:
    """Return what stays on the machine after this removal, one line each, for the person to read."""
    lines = ["the journal's entries about the agent and k3s", "the groups archipel and archipel-technician"]
    if context.options.what == AGENT_ONLY:
        drop_ins = [str(path) for path, text in host.wanted(context).items() if text]
        return (*lines, "k3s with its service, settings, data and pods", str(context.paths.sysctl), *drop_ins)
    lines.append(
        "kernel modules, network settings and empty firewall tables of k3s (until the next start of the machine)"
    )
    if context.options.what == KEEP_DATA:
        return (
            *lines,
            str(context.paths.k3s_data),
            str(context.paths.k3s_settings),
            str(context.paths.state),
        )
    return (*lines, *sorted(str(path) for path in stood_before(context)))


FORGET = Step(
    slug="forget-identity", title="Remove the agent's identity", check=_not_of_others, run=forget_identity
)
STOP = Step(slug="stop", title="Stop Kubernetes", check=_only_agent, run=stop)
PODS = Step(slug="stop-pods", title="End the pods", check=_only_agent, run=stopping.stop_pods)
KERNEL = Step(
    slug="kernel-back", title="Give the kernel its settings back", check=_only_agent, run=restore_kernel
)
HOST = Step(slug="host-back", title="Give the machine its settings back", check=_only_agent, run=host.restore)
BINARY = Step(slug="remove-binary", title="Remove the k3s binary", check=_only_agent, run=remove_binary)
DATA = Step(slug="remove-data", title="Remove Kubernetes' data", check=_keeps_data, run=remove_data)
