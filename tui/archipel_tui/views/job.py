"""A job: what it would do, how far it is, and how it ended."""

from archipel_contract.facts import NodeFacts
from archipel_contract.findings import Severity
from archipel_contract.jobs import Job, JobState, Plan, Step, StepState
from archipel_tui.store import Scene
from archipel_tui.text import (
    Line,
    bar,
    clean,
    duration,
    labelled,
    length,
    line,
    pad,
    paragraph,
    stopwatch,
    width,
    wrap,
)
from archipel_tui.views.words import SEVERITY, named, said

_MARKS = {
    StepState.PENDING: ("[    ]", ""),
    StepState.RUNNING: ("[ >> ]", "warn"),
    StepState.DONE: ("[ OK ]", "good"),
    StepState.ALREADY: ("[ OK ]", "good"),
    StepState.FAILED: ("[FAIL]", "bad"),
    StepState.UNDONE: ("[UNDO]", "warn"),
    StepState.UNKNOWN: ("[ ?? ]", "soft"),
}
_ENDS = {
    JobState.SUCCEEDED: ("+", "good", "job.succeeded"),
    JobState.FAILED: ("x", "bad", "job.failed"),
    JobState.CANCELLED: ("!", "warn", "job.cancelled"),
    JobState.QUEUED: ("!", "warn", "job.queued"),
}


def candidates(facts: NodeFacts) -> tuple[tuple[str, str], ...]:
    """Return what may become the node's address: (interface, IPv4 address) of every interface that is not
    virtual.

    Loopback and link-local addresses (169.254, a DHCP server that did not answer) are no address for a node.
    """
    found = []
    for nic in facts.nics:
        for address in () if nic.virtual or nic.name == "lo" else nic.addresses:
            bare = address.partition("/")[0]
            if ":" not in bare and not bare.startswith(("127.", "169.254.")):
                found.append((nic.name, bare))
    return tuple(found)


def choice(scene: Scene, cells: int, facts: NodeFacts, chosen: int) -> list[Line]:
    """The list of networks to choose from."""
    words = scene.words
    found = [*paragraph(words("job.choose"), cells), line("")]
    by_name = {nic.name: nic for nic in facts.nics}
    for index, (name, address) in enumerate(candidates(facts)):
        nic = by_name[name]
        notes = [f"{nic.speed_mbit} Mb/s" if nic.speed_mbit else "", nic.mac]
        if nic.carrier is False:
            notes = [f"! {words('hardware.no-cable')}", nic.mac]
        text = f"{'>' if index == chosen else ' '} {pad(clean(name), 12)} {pad(address, 16)} "
        rest = notes[0]
        if notes[1] and width(text + rest + notes[1]) + 2 <= cells:
            rest = f"{rest}  {notes[1]}".strip()
        found.append(line((pad(text + rest, cells), "cursor" if index == chosen else "")))
    return found


def plan(scene: Scene, cells: int, planned: Plan | None) -> list[Line]:
    """What the job would do, and what stands in its way."""
    words = scene.words
    if planned is None:
        return paragraph(words("job.plan-wait"), cells)
    found: list[Line] = []
    for finding in planned.findings:
        mark, style = SEVERITY[finding.severity]
        text = said(finding, words)
        found += paragraph(f"{mark} {text.title}", cells, style)
        found += labelled(words("fact.do"), text.remedy, cells, style="strong")
    if found:
        found.append(line(""))
    if is_blocked(planned):
        found += [*paragraph(words("job.plan-blocked"), cells, "bad"), line("")]
    elif not any(step.needed for step in planned.steps):
        found += [*paragraph("+ " + words("job.plan-nothing"), cells, "good"), line("")]
    titles = [named("step", step.slug, step.title, words) for step in planned.steps]
    for step, title in zip(planned.steps, titles, strict=True):
        mark, style = ("[    ]", "") if step.needed else ("[ OK ]", "good")
        state = words("job.plan-needed") if step.needed else words("job.plan-done")
        note = words.shown(clean(step.said)) or state
        found += _beside(((mark, style), (" " + title, "")), note, cells, _column(titles, cells))
    return found


def _column(titles: list[str], cells: int) -> int:
    """Where notes beside the titles begin: behind the longest, but not in the last third."""
    return min(max(map(width, titles), default=0) + 9, cells * 2 // 3)


def is_blocked(planned: Plan) -> bool:
    """Whether a problem stands in the way of the job."""
    return any(finding.severity is Severity.PROBLEM for finding in planned.findings)


def elapsed(step: Step, scene: Scene) -> float:
    """Return how long a step has taken; a running one goes on between two events."""
    extra = scene.monotonic - scene.picture.job_at if step.state is StepState.RUNNING else 0.0
    return step.seconds + max(extra, 0.0)


def steps(scene: Scene, cells: int, job: Job) -> list[Line]:
    """One line a step with its state and time; below the running one its usual time and what it waits for."""
    words = scene.words
    found: list[Line] = []
    titles = [named("step", step.slug, step.title, words) for step in job.steps]
    for step, title in zip(job.steps, titles, strict=True):
        mark, style = _MARKS[step.state]
        time = (
            stopwatch(elapsed(step, scene))
            if step.state not in (StepState.PENDING, StepState.ALREADY)
            else ""
        )
        running = step.state is StepState.RUNNING
        said_now = "" if running else words.shown(clean(step.said))
        head = ((mark, style), (" " + title, "strong" if running else ""))
        found += _beside(head, said_now, cells, _column(titles, cells), time)
        if running:
            notes = []
            if step.waiting_for:
                notes.append(words("job.waiting-for", what=clean(step.waiting_for)))
            if step.usual_seconds:
                notes.append(words("job.usual", time=duration(step.usual_seconds, words)))
            for note in notes:
                found += [line("       ", *part) for part in paragraph(note, cells - 7, "soft")]
    return found


def _beside(head: Line, note: str, cells: int, column: int, time: str = "") -> list[Line]:
    """Return `head`, a note beside it where it fits and below it where not, and a time at the right end."""
    room = cells - length(head) - (width(time) + 1 if time else 0)
    start = max(column, length(head) + 2) - length(head)
    end: tuple[tuple[str, str], ...] = ((" " + time, ""),) if time else ()
    if width(note) <= room - start:
        return [(*head, (" " * start + pad(note, room - start), "soft"), *end)]
    first: Line = (*head, (" " * room, ""), *end)
    return [first, *(line("       ", (part, "soft")) for part in wrap(note, cells - 7))]


def progress(scene: Scene, cells: int, job: Job) -> list[Line]:
    """How far the job is in one line: a bar while it runs, and a sentence when it is over."""
    words = scene.words
    over = sum(1 for step in job.steps if step.state in (StepState.DONE, StepState.ALREADY))
    if job.state in _ENDS:
        mark, style, key = _ENDS[job.state]
        found = paragraph(f"{mark} {words(key)} {words.shown(clean(job.sentence))}".rstrip(), cells, style)
        if job.finding is not None:
            text = said(job.finding, words)
            found += paragraph(text.title, cells, "bad")
            found += labelled(words("fact.why"), text.cause, cells) if text.cause else []
            found += labelled(words("fact.do"), text.remedy, cells, style="strong")
        if job.state is JobState.FAILED:
            found += paragraph(words("job.resume"), cells, "soft")
        for name, value in job.result.items():
            found += paragraph(words("job.result", name=clean(name), value=clean(value)), cells)
        return found
    total = sum(elapsed(step, scene) for step in job.steps)
    label = words("job.running", number=min(over + 1, max(len(job.steps), 1)), all=len(job.steps))
    time = words("job.elapsed", time=stopwatch(total))
    percent = 100 * over / len(job.steps) if job.steps else 0
    room = cells - width(label) - width(time) - 4
    found = [line((label, "strong"), "  " + bar(percent, max(room, 4)) + "  ", time)]
    if scene.picture.away:
        return found + paragraph("! " + words("job.lost"), cells, "warn")
    return found + paragraph(words("job.goes-on"), cells, "soft")


def log(scene: Scene, cells: int, most: int) -> list[Line]:
    """The last lines of the job's log."""
    if not scene.picture.job_lines:
        return paragraph(scene.words("job.nothing-yet"), cells, "soft")
    found: list[Line] = []
    for text in scene.picture.job_lines[-most:]:
        found += paragraph(scene.words.shown(text), cells)
    return found[-most:]
