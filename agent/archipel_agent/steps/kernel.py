"""Set the kernel as kubelet insists on, now and at every boot; what was set before is kept for the way back."""

import json

from archipel_agent.k3s.config import KERNEL_SETTINGS, kernel_settings_text
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.adopt_common import hands_off
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding

BEFORE = "kernel_before"


def _differing(context: Context) -> dict[str, str]:
    read = context.ports.machine.kernel_setting
    return {name: value for name, value in KERNEL_SETTINGS.items() if read(name) != value}


def _file_is_right(context: Context) -> bool:
    path = context.paths.sysctl
    return (
        context.ports.disk.exists(path) and context.ports.disk.read(path) == kernel_settings_text().encode()
    )


def check(context: Context) -> str | None:
    """Nothing to do when file and kernel agree with what is wanted."""
    return "set already" if _file_is_right(context) and not _differing(context) else None


def run(context: Context) -> str:
    """Keep the present values, write the file, set the kernel."""
    store, machine = context.store, context.ports.machine
    if store.value(BEFORE) is None:
        present = {name: machine.kernel_setting(name) for name in KERNEL_SETTINGS}
        store.keep(
            **{BEFORE: json.dumps({name: value for name, value in present.items() if value is not None})}
        )
    if not _file_is_right(context):
        context.ports.disk.write(context.paths.sysctl, kernel_settings_text().encode())
    wrong = _differing(context)
    if wrong:
        _set(context, wrong)
    return f"{len(wrong)} of {len(KERNEL_SETTINGS)} settings changed"


def _set(context: Context, values: dict[str, str]) -> None:
    try:
        context.ports.privileged.call("kernel-settings", values=json.dumps(values))
    except (CommandFailed, OSError) as error:
        raise StepFailed(_finding(values, context, str(error))) from error


def verify(context: Context) -> None:
    """Read the kernel back: a container may accept a write and ignore it."""
    wrong = _differing(context)
    if wrong:
        raise StepFailed(_finding(wrong, context, "the kernel kept its value"))


def _finding(values: dict[str, str], context: Context, problem: str) -> Finding:
    name = next(iter(values))
    value = context.ports.machine.kernel_setting(name) or "-"
    return finding("kernel-setting-refused", setting=name, wanted=values[name], value=value, problem=problem)


def undo(context: Context) -> None:
    """Remove the file and set the former values again, unless a site in force needs them."""
    if context.store.site() is None:
        restore(context)


def restore(context: Context) -> None:
    """Remove the file and set the former values again."""
    context.ports.disk.remove(context.paths.sysctl)
    kept = context.store.value(BEFORE)
    if kept is None:
        return
    read = context.ports.machine.kernel_setting
    former = {name: value for name, value in json.loads(kept).items() if read(name) != value}
    if former:
        context.ports.privileged.call("kernel-settings", values=json.dumps(former))
    context.store.keep(**{BEFORE: None})


STEP = hands_off(
    Step(slug="kernel", title="Set the kernel for Kubernetes", check=check, run=run, verify=verify, undo=undo)
)
