"""Bring a damaged SQLite datastore back: check it, read every readable row into a new one, and put that in its place.

The damaged files are kept under another name, with their write-ahead log, and the repair's way back gives them their names
again. What cannot be read is counted and said. Where nothing can be read, only a backup helps, and the finding says so.
"""

import json
import sys
from pathlib import Path

from archipel_agent.steps import repair_aside, repair_etcd
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding

TIMEOUT_SECONDS = 900.0  # a datastore of a few hundred megabytes on a slow card
PROGRAM = "archipel_agent.state.salvage"
BEYOND_HELP = 3
BESIDE = ("-wal", "-shm")
LAST_ASIDE = "datastore_before"  # where the last repair put the damaged one, for its way back
BACK_BY = "datastore_back_by"  # the job that took the repair back, known by it after a cut


def _database(context: Context) -> Path:
    return context.paths.k3s_data / "server/db/state.db"


def _recovered(context: Context) -> Path:
    return _database(context).with_name("state.db.recovered")


def _filling(context: Context) -> Path:
    """Where the new one is written until it is complete and durable."""
    return _database(context).with_name("state.db.filling")


def _given_up(context: Context) -> Path:
    """Where the new one waits until the damaged one is back in its place."""
    return _database(context).with_name("state.db.given-up")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def check(context: Context) -> str | None:
    """Nothing to do when it is in place since before a cut; refuses where there is no SQLite datastore."""
    if repair_aside.is_aside(context) or context.ports.disk.exists(_recovered(context)):
        return "read"
    if repair_etcd.is_used(context.ports.disk, context.paths):
        raise StepFailed(finding("datastore-is-etcd"), refused=True)
    if not context.ports.disk.exists(_database(context)):
        raise StepFailed(finding("datastore-gone", place=str(_database(context))), refused=True)
    return None


def run(context: Context) -> str:
    """Stop k3s and read; a database that proves whole is left as it is."""
    repair_aside.stop_k3s(context, READ.slug)
    context.progress.waiting_for("every row that can be read")
    disk, filling = context.ports.disk, _filling(context)
    disk.remove(filling)
    argv = [sys.executable, "-m", PROGRAM, str(_database(context)), str(filling)]
    done = context.ports.runner.run(argv, timeout=TIMEOUT_SECONDS, ok=(0, BEYOND_HELP))
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["whole"]:
        return "it is whole; what k3s met was not in this file"
    if done.code == BEYOND_HELP:
        disk.remove(filling)
        raise StepFailed(finding("datastore-lost", problem=answer["problem"], place=str(_database(context))))
    disk.flush(filling)
    disk.move(filling, _recovered(context))
    lost = f", {answer['lost']} cannot be read" if answer["lost"] else ""
    return f"{answer['rows']} rows read{lost}"


def undo(context: Context) -> None:
    """Forget what was read; k3s meets its datastore as it was."""
    context.ports.disk.remove(_filling(context))
    context.ports.disk.remove(_recovered(context))


def nothing_read(context: Context) -> str | None:
    """Nothing to do when no new one was made, or when it is in place."""
    return None if context.ports.disk.exists(_recovered(context)) else "the datastore stays as it is"


def swap(context: Context) -> str:
    """Give the damaged one another name and the new one its name; whatever was done before a cut is not done again."""
    repair_aside.stop_k3s(context, SWAP.slug)  # after a power cut systemd has started it again
    disk, database = context.ports.disk, _database(context)
    target = repair_aside.place_for(context, database)
    context.store.keep(**{LAST_ASIDE: str(target)})
    # The log belongs to the damaged one: beside the new one it would be played into it.
    for suffix in ("", *BESIDE):
        if disk.exists(_beside(database, suffix)) and not disk.exists(_beside(target, suffix)):
            disk.move(_beside(database, suffix), _beside(target, suffix))
    disk.move(_recovered(context), database)
    return f"the damaged one is kept as {target}"


def swap_back(context: Context) -> None:
    """Give the damaged one its name again."""
    kept = repair_aside.kept_as(context)
    if kept is not None and context.ports.disk.exists(kept):
        _restore(context, kept)


def _restore(context: Context, kept: Path) -> None:
    """Put `kept` in place; its log before itself, so that it is known until the end that this is not done yet."""
    disk, database = context.ports.disk, _database(context)
    given_up = _given_up(context)
    if disk.exists(database):
        for suffix in BESIDE:
            disk.remove(_beside(database, suffix))
        disk.remove(given_up)
        disk.move(database, given_up)
    for suffix in (*BESIDE, ""):
        if disk.exists(_beside(kept, suffix)):
            disk.move(_beside(kept, suffix), _beside(database, suffix))
    disk.remove(given_up)


def is_back(context: Context) -> str | None:
    """Nothing to do when this job brought it back before a cut; refuses where nothing is kept, or it was freed since."""
    kept = context.store.value(LAST_ASIDE)
    if context.job and context.store.value(BACK_BY) == context.job:
        return "in place" if kept is None else None
    if kept is None or not context.ports.disk.exists(Path(kept)):
        raise StepFailed(finding("nothing-to-take-back", finding=context.options.code), refused=True)
    return None


def take_back(context: Context) -> str:
    """The same for a repair that was done: k3s is stopped first and started again by the next step."""
    kept = context.store.value(LAST_ASIDE)
    if kept is None:
        raise LookupError("no datastore from before is kept")
    repair_aside.stop_k3s(context, TAKE_BACK.slug)
    context.store.keep(
        **{BACK_BY: context.job}
    )  # from now on a file that is no longer there is one that is in place
    if context.ports.disk.exists(Path(kept)):
        _restore(context, Path(kept))
    context.ports.disk.remove(_given_up(context))
    context.store.keep(**{LAST_ASIDE: None})
    return "the datastore from before the repair is in place"


READ = Step(
    slug="datastore-read", title="Read what can be read of the datastore", check=check, run=run, undo=undo
)
SWAP = Step(
    slug="datastore-swap",
    title="Put the new datastore in place",
    check=nothing_read,
    run=swap,
    undo=swap_back,
)
TAKE_BACK = Step(
    slug="datastore-back", title="Put the datastore from before in place", check=is_back, run=take_back
)
