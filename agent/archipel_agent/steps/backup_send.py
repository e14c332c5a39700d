"""Send a sealed backup to its target, look whether it arrived, let old ones go, and write down what was made."""

from datetime import datetime

from archipel_agent.backup import record, thinning
from archipel_agent.host import tree
from archipel_agent.steps.backup_common import (
    explained,
    failed,
    of_site,
    place,
    recipients_of,
    require_apart,
    target_of,
)
from archipel_agent.steps.backup_make import UNDER_WAY, forget, sealed_file, under_way
from archipel_agent.steps.base import Context, Step
from archipel_contract.facts import ClockQuality


def send(context: Context) -> str:
    """Bring it there and see that it is there with all its bytes."""
    file = sealed_file(context)
    size = tree.size(file)
    context.progress.waiting_for(f"{size >> 10} KB to reach {place(context)}")
    require_apart(context)
    with explained(context):
        target = target_of(context, place(context))
        target.put(file, file.name)
        arrived = next((one.size for one in target.stored() if one.name == file.name), None)
    if arrived != size:
        problem = f"{file.name} arrived with {arrived} of {size} bytes"
        raise failed(context, "backup-target-away", problem)
    return f"{file.name}, {size >> 10} KB, at {place(context)}"


def take_back(context: Context) -> None:
    """Remove it from the target and here."""
    try:
        if context.store.value(UNDER_WAY) is not None:
            with explained(context):
                target_of(context, place(context)).delete(sealed_file(context).name)
    finally:
        forget(context)


def thin(context: Context) -> str:
    """Let old ones go, by their sequence alone."""
    site = context.store.site()
    assert site is not None  # there is a backup of it
    with explained(context):
        target = target_of(context, place(context))
        there = of_site(target.stored(), site.site_id)
        gone = thinning.doomed((number for number, _ in there), context.settings.backup_keep)
        for number, one in there:
            if number in gone:
                target.delete(one.name)
    return f"{len(there) - len(gone)} stay, {len(gone)} went"


def note(context: Context) -> str:
    """Write down what was made, and remove what was only needed to make it."""
    file = sealed_file(context)
    sequence, at = under_way(context)
    now = context.ports.clock.now()
    is_sure = context.ports.machine.clock_synchronized()
    recipients = recipients_of(context)
    made = record.Made(
        sequence=sequence,
        name=file.name,
        target=place(context),
        at=at,
        clock=ClockQuality.SYNCHRONIZED if is_sure else ClockQuality.UNKNOWN,
        size=tree.size(file),
        sha256=context.ports.disk.sha256(file),
        seconds=max((now - datetime.fromisoformat(at)).total_seconds(), 0.0),
        changed=int(context.store.value("backup_changed") or 0),
        owner_keys=len(recipients.owner),
        fleet_keys=len(recipients.fleet),
    )
    record.keep(context.store, record.LAST, made)
    context.store.keep(**{record.PROBLEM: None, "backup_changed": None})
    forget(context)
    return f"backup {sequence} is at {made.target}: {made.name}, {made.size >> 10} KB"


SEND = Step(slug="backup-send", title="Send it to its target", run=send, undo=take_back)
THIN = Step(slug="backup-thin", title="Let old backups go", run=thin)
NOTE = Step(slug="backup-note", title="Write down what was made", run=note)
