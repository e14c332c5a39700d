"""Waiting for k3s with eyes open: progress from its log, an early end when it keeps ending, a cause when time is up."""

from collections.abc import Callable
from dataclasses import dataclass

from archipel_agent.checks import registry
from archipel_agent.checks.base import Phase
from archipel_agent.k3s.files import own_files
from archipel_agent.k3s.milestones import milestone
from archipel_agent.observe import World, gather
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, StepFailed
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding, Severity
from archipel_contract.status import ServiceState

POLL_SECONDS = 0.25
LOOK_EVERY = 4  # polls between two looks at log and service: reading a journal costs a process
STARTS_TRIED = 3
STARTS_TRIED_BLINDLY = (
    8  # while the log shows no cause it may have been an accident: k3s was killed, memory was short
)
LOG_LINES = 400

# What these say is true but is the consequence of something: a cause found beside them is what a person needs.
SYMPTOMS = frozenset(
    {
        "api-unreachable",
        "api-not-ready",
        "k3s-crash-loop",
        "k3s-crash-loop-silent",
        "k3s-stopped",
        "k3s-stopped-silent",
        "k3s-absent",
        "node-not-ready",
        "node-missing",
        "pods-not-ready",
    }
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look showed: `over` with what came of it, or what is still waited for (empty: see the log)."""

    over: bool
    said: str = ""


def wait_until(context: Context, look: Callable[[], Look], timeout: float, code: str, what: str) -> str:
    """Return what `look` says once it is over.

    Raises StepFailed with the cause from k3s' log when k3s keeps ending, or after `timeout` seconds; with the finding
    `code` when no cause shows. Raises Cancelled when the job is asked to stop.
    """
    clock = context.ports.clock
    deadline = clock.monotonic() + timeout
    context.progress.waiting_for(what)
    shown: set[str] = set()
    polls = 0
    while not (seen := look()).over:
        if clock.monotonic() >= deadline:
            raise StepFailed(cause(context) or finding(code, seconds=f"{timeout:g}", what=seen.said or what))
        if polls % LOOK_EVERY == 0:
            _keep_alive(context)
            _tell(context, seen.said or what, shown)
        polls += 1
        clock.wait(POLL_SECONDS)
    return seen.said


def make_durable(context: Context) -> None:
    """Have k3s' own files written out: it does not fsync its keys, certificates and token, and a power cut within seconds
    of the first start was seen to leave them empty and the site unable to start (k3s v1.36.3).

    Each by itself: their file system would be waited for with all that is unpacked from images at that time.
    """
    for path in own_files(context.ports.disk, context.paths):
        context.ports.disk.flush(path)


def _keep_alive(context: Context) -> None:
    """Fail when k3s keeps ending; without systemd, start it again as systemd would."""
    status = context.ports.k3s.status()
    if status.state is ServiceState.FAILING and status.restarts + 1 >= STARTS_TRIED:
        why = cause(context)
        if why is not None and why.code not in SYMPTOMS:
            raise StepFailed(why)
        if status.restarts + 1 >= STARTS_TRIED_BLINDLY:
            raise StepFailed(why or finding("k3s-crash-loop-silent", restarts=str(status.restarts)))
    if status.state in (ServiceState.FAILING, ServiceState.STOPPED) and status.kept_by not in (
        "systemd",
        "hand",
    ):
        start(context)


def start(context: Context) -> None:
    """Start k3s; raise StepFailed when it cannot even be started."""
    try:
        context.ports.k3s.start()
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="start", problem=str(error))) from error


def _tell(context: Context, what: str, shown: set[str]) -> None:
    reached = milestone(context.ports.k3s.log(LOG_LINES))
    if reached:
        context.progress.waiting_for(f"{what} ({reached})")
        if reached not in shown:
            shown.add(reached)
            context.progress.line(f"k3s: {reached}")


def cause(context: Context) -> Finding | None:
    """Return the gravest problem the runtime checks find, causes before symptoms; None when they find none."""
    world = World(paths=context.paths, store=context.store)
    results = registry.look_all(gather(context.ports, world, context.options.wishes), Phase.RUNTIME)
    problems = [one for one in registry.findings(results) if one.severity is Severity.PROBLEM]
    return min(problems, key=lambda one: one.code in SYMPTOMS, default=None)
