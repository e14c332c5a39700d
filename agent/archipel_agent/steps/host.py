"""Prepare the machine for years: a journal that stays small, a watchdog that is used, time for pods to end when power goes.

Three drop-ins below /etc/systemd, each put into force at once. What stood in those places before is kept for the way back.
"""

import contextlib
import json
from pathlib import Path

from archipel_agent.ports import CommandFailed
from archipel_agent.power.drop_ins import DropIn, content, drop_ins, said_by_site
from archipel_agent.power.watchdog import is_present
from archipel_agent.steps.adopt_common import hands_off
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.facts import InitSystem

BEFORE = "host_before"  # which of the directories we made, and whether kubelet's file was there
DUE = "host_due"  # what was written and perhaps not put into force yet
KUBELETS = "99-kubelet.conf"  # kubelet's own, where logind allowed it less time than it wants

# directory -> how systemd's parts take notice. logind and the journal go on with what they have where that fails.
IN_FORCE = {
    "journald.conf.d": ("systemctl", "try-restart", "systemd-journald.service"),
    "logind.conf.d": ("systemctl", "kill", "--signal=HUP", "systemd-logind.service"),
    "system.conf.d": ("systemctl", "daemon-reexec"),
}


def _base(context: Context) -> Path:
    return context.paths.at("etc/systemd")


def _text(context: Context, path: Path) -> str:
    try:
        return context.ports.disk.read(path).decode(errors="replace")
    except OSError:
        return ""


def wanted(context: Context) -> dict[Path, bytes]:
    """Return the drop-ins of this machine; an empty one must not be there."""
    if context.ports.machine.facts().init is not InitSystem.SYSTEMD:
        return {}
    facts = context.ports.machine.facts()
    watched = context.settings.hardware_watchdog == "auto" and is_present(context.ports.disk, context.paths)
    every = drop_ins(watchdog=True, is_pi=facts.raspberry_pi, kernel=facts.kernel)
    return {
        _base(context) / one.directory / one.file: b""
        if one.section == "Manager" and not watched
        else content(one, _said(context, one))
        for one in every
    }


def _said(context: Context, one: DropIn) -> frozenset[str]:
    """Return what the site has set itself; kubelet's file is no word of the site."""
    place = _base(context) / one.directory
    names = context.ports.disk.names(place)
    others = [name for name in names if _is_read(name) and name not in (one.file, KUBELETS)]
    files = [_base(context) / one.main, *(place / name for name in others)]
    return said_by_site((_text(context, path) for path in files), one.section)


def _is_read(name: str) -> bool:
    """Whether systemd takes a file for a drop-in; half a file that a cut left begins with a dot."""
    return name.endswith(".conf") and not name.startswith(".")


def _differing(context: Context) -> dict[Path, bytes]:
    return {path: text for path, text in wanted(context).items() if _text(context, path).encode() != text}


def check(context: Context) -> str | None:
    """Nothing to do when every drop-in is there as wanted and in force, or nobody would read it."""
    if context.ports.machine.facts().init is not InitSystem.SYSTEMD:
        return "no systemd here"
    return None if _differing(context) or context.store.value(DUE) else "set already"


def foresee(context: Context) -> str:
    """Name what would be written."""
    return ", ".join(str(path) for path in _differing(context))


def run(context: Context) -> str:
    """Write what differs, and put it into force."""
    differing = _differing(context)
    due = set(json.loads(context.store.value(DUE) or "[]")) | {path.parent.name for path in differing}
    _remember(context, due)
    try:
        for path, text in differing.items():
            if text:
                context.ports.disk.write(path, text)
            else:
                context.ports.disk.remove(path)
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="host", problem=str(error))) from error
    _put_in_force(context, due)
    return f"{len(differing)} files below {_base(context)}"


def _remember(context: Context, due: set[str]) -> None:
    """Keep what was there before, once, and what is about to be written."""
    disk, base = context.ports.disk, _base(context)
    facts = {DUE: json.dumps(sorted(due))}
    if context.store.value(BEFORE) is None:
        made = [name for name in IN_FORCE if not disk.exists(base / name)]
        kubelets = disk.exists(base / "logind.conf.d" / KUBELETS)
        facts[BEFORE] = json.dumps({"made": made, "kubelets": kubelets})
    context.store.keep(**facts)


def _put_in_force(context: Context, due: set[str]) -> None:
    for name in sorted(due & set(IN_FORCE)):
        with contextlib.suppress(CommandFailed):  # it is in force from the next start on
            context.ports.runner.run(IN_FORCE[name])
    context.store.keep(**{DUE: None})


def undo(context: Context) -> None:
    """Take it back, unless a site in force has it."""
    if context.store.site() is None:
        restore(context)


def restore(context: Context) -> str:
    """Leave the machine's settings as they were before the first `up`."""
    kept = context.store.value(BEFORE)
    if kept is None:
        return "none of ours are there"
    before, disk, base = json.loads(kept), context.ports.disk, _base(context)
    ours = [base / one.directory / one.file for one in drop_ins(watchdog=True, is_pi=False, kernel="")]
    if not before["kubelets"]:
        ours.append(base / "logind.conf.d" / KUBELETS)
    gone = [path for path in ours if disk.exists(path)]
    context.store.keep(**{DUE: json.dumps(sorted({path.parent.name for path in gone}))})
    try:
        for path in ours:  # also half a file that a cut has left
            disk.remove(path)
        for name in before["made"]:
            if disk.exists(base / name) and not disk.names(base / name):
                disk.remove_tree(base / name)
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="host", problem=str(error))) from error
    _put_in_force(context, {path.parent.name for path in gone})
    context.store.keep(**{BEFORE: None})
    return f"{len(gone)} files removed"


STEP = hands_off(
    Step(slug="host", title="Prepare the machine for years", check=check, run=run, undo=undo, foresee=foresee)
)
