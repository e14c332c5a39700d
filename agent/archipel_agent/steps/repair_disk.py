"""Free what can be freed safely on a disk that is full: each kind with its size, the biggest first; the rest is named.

Nothing of a site's own data is touched: no volume, no datastore, no snapshot, no log of a program that is not ours. What a
person may still want (images, support bundles, what repairs have put aside) goes only when a person started the repair.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archipel_agent.checks.amounts import MB, size
from archipel_agent.checks.disk_space import ADVISED_SHARE
from archipel_agent.k3s.teardown import programs_in_use
from archipel_agent.k3s.unpacked import unpacked
from archipel_agent.ports import CommandFailed
from archipel_agent.steps import repair_aside, repair_containerd
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding

JOURNAL_KEPT = 64 * MB
CRICTL_SECONDS = 60.0
USED_SECONDS = 60.0
SHOWN = 5
_JOURNAL = re.compile(r"take up (\d+(?:\.\d+)?)([BKMGT])")
_UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of things that can go: how it is called, how many bytes there are, how it goes."""

    slug: str
    title: str
    measure: Callable[[Context], int]
    free: Callable[[Context], None]


def _bytes_in(context: Context, places: Iterator[Path] | tuple[Path, ...]) -> int:
    disk, total = context.ports.disk, 0
    for place in places:
        for path in disk.files(place) or (place,):
            try:
                total += disk.size(path)
            except OSError:
                continue  # a directory, a dangling link, or gone meanwhile
    return total


def _remove(context: Context, places: tuple[Path, ...]) -> None:
    for place in places:
        context.ports.disk.remove_tree(place)


def unused_programs(context: Context) -> tuple[Path, ...]:
    """Return what earlier versions of k3s have unpacked, but for what runs from it or is the way back."""
    used = programs_in_use(context.paths)
    found = unpacked(context.ports.disk, context.paths)
    return tuple(one for one in found if one.name not in used) if used else ()


def _logs(context: Context) -> tuple[Path, ...]:
    disk, place = context.ports.disk, context.paths.k3s_log.parent
    old = (place / name for name in disk.names(place) if re.search(r"\.log\.\d+$", name))
    return (*old, *((context.paths.staging,) if disk.exists(context.paths.staging) else ()))


def _bundles(context: Context) -> tuple[Path, ...]:
    place = context.paths.state / "support"
    return tuple(place / name for name in context.ports.disk.names(place))


def _kept(context: Context) -> tuple[Path, ...]:
    """Return what earlier repairs have put aside, and what k3s has when it restored etcd."""
    data, disk = context.paths.k3s_data, context.ports.disk
    places = (data / "agent", data / "server/db")
    names = ((place, name) for place in places for name in disk.names(place))
    return tuple(
        place / name for place, name in names if repair_aside.MARK in name or name.startswith("etcd-old-")
    )


def _images(context: Context) -> int:
    """Return the bytes of images no container uses and k3s has not pinned; 0 where the runtime does not answer."""
    try:
        present = json.loads(_crictl(context, "images", "-o", "json"))["images"]
        running = json.loads(_crictl(context, "ps", "-a", "-o", "json"))["containers"]
    except (CommandFailed, ValueError, KeyError):
        return 0
    used = {one.get("imageRef", "") for one in running} | {one.get("imageId", "") for one in running}
    return sum(
        int(one.get("size") or 0) for one in present if one["id"] not in used and not one.get("pinned")
    )


def _crictl(context: Context, *words: str) -> str:
    return context.ports.runner.run(
        [context.site().k3s.path, "crictl", *words], timeout=CRICTL_SECONDS
    ).stdout


def _prune(context: Context) -> None:
    repair_containerd.forget_imports(context)
    _crictl(context, "rmi", "--prune")


def _journal(context: Context) -> int:
    """Return the bytes beyond those that are kept; 0 where there is no journal."""
    if context.ports.runner.find("journalctl") is None:
        return 0
    try:
        said = context.ports.runner.run(["journalctl", "--disk-usage"], timeout=20.0).stdout
    except CommandFailed:
        return 0
    found = _JOURNAL.search(said)
    return max(0, int(float(found[1]) * _UNITS[found[2]]) - JOURNAL_KEPT) if found else 0


KINDS = (
    Kind("images", "container images no pod uses", _images, _prune),
    Kind(
        "programs",
        "unpacked programs of earlier k3s versions",
        lambda context: _bytes_in(context, unused_programs(context)),
        lambda context: _remove(context, unused_programs(context)),
    ),
    Kind(
        "journal",
        "the system's journal beyond 64 MB",
        _journal,
        lambda context: context.ports.privileged.call("vacuum-journal", size=str(JOURNAL_KEPT)),
    ),
    Kind(
        "logs",
        "Archipel's own old logs and staged files",
        lambda context: _bytes_in(context, _logs(context)),
        lambda context: _remove(context, _logs(context)),
    ),
    Kind(
        "bundles",
        "support bundles",
        lambda context: _bytes_in(context, _bundles(context)),
        lambda context: _remove(context, _bundles(context)),
    ),
    Kind(
        "kept",
        "what earlier repairs put aside",
        lambda context: _bytes_in(context, _kept(context)),
        lambda context: _remove(context, _kept(context)),
    ),
)


def freeable(context: Context) -> tuple[tuple[int, Kind], ...]:
    """Return what can go of the kinds asked for (all, if none was named), the biggest first."""
    asked = context.options.free or tuple(one.slug for one in KINDS)
    measured = ((one.measure(context), one) for one in KINDS if one.slug in asked)
    return tuple(sorted((pair for pair in measured if pair[0] > 0), key=lambda pair: -pair[0]))


def foresee(context: Context) -> str:
    """Say what would go."""
    return _said(freeable(context)) or "nothing that can go safely"


def _said(items: tuple[tuple[int, Kind], ...]) -> str:
    return "; ".join(f"{one.title} ({one.slug}) {size(amount)}" for amount, one in items)


def run(context: Context) -> str:
    """Free one kind after the other; one that cannot be freed does not stop the others."""
    before = context.ports.disk.space(context.paths.k3s_data).free_bytes
    freed = []
    for amount, kind in freeable(context):
        context.progress.waiting_for(kind.title)
        try:
            kind.free(context)
            freed.append((amount, kind))
        except (CommandFailed, OSError) as error:
            context.progress.line(f"{kind.title}: {error}")
    now = context.ports.disk.space(context.paths.k3s_data).free_bytes
    return (
        f"{size(max(0, now - before))} freed: {_said(tuple(freed))}" if freed else "there was nothing to free"
    )


def verify(context: Context) -> None:
    """Say who uses the rest where there is still too little room."""
    room = context.ports.disk.space(context.paths.k3s_data)
    if room.free_bytes < ADVISED_SHARE * room.size_bytes:
        users = biggest(context)
        raise StepFailed(
            finding(
                "disk-still-full",
                users,
                path=str(context.paths.k3s_data),
                free=size(room.free_bytes),
                users=", ".join(users) or "-",
            )
        )


def biggest(context: Context) -> tuple[str, ...]:
    """Return the biggest users of the disk with what they are, the biggest first."""
    data, at = context.paths.k3s_data, context.paths.at
    meant = {
        data / "agent/containerd": "images and containers",
        data / "agent/images": "image archives",
        data / "storage": "volumes of pods",
        data / "server/db": "the cluster's datastore and its snapshots",
        at("var/lib/kubelet"): "volumes and scratch space of pods",
        at("var/log"): "logs of the system and of pods",
        at("home"): "files of users",
        context.paths.state: "Archipel's state",
    }
    there = [str(path) for path in meant if context.ports.disk.exists(path)]
    try:
        argv = ["du", "-x", "-s", "-B1", *there]
        lines = context.ports.runner.run(argv, timeout=USED_SECONDS, ok=(0, 1)).stdout.splitlines()
    except CommandFailed:
        return ()
    sizes = sorted(
        ((int(count), path) for count, _, path in (one.partition("\t") for one in lines)), reverse=True
    )
    return tuple(f"{path} {size(count)} ({meant[Path(path)]})" for count, path in sizes[:SHOWN])


STEP = Step(slug="free-disk", title="Free what can go safely", run=run, verify=verify, foresee=foresee)
