"""`archipel accept cut`: leads the hand on the plug through one round after the other, and judges each after the start."""

from archipel_agent.acceptance import power_cut
from archipel_agent.acceptance.figures import Round, Verdict
from archipel_agent.acceptance.power_cut import PAUSE_SECONDS, Loop
from archipel_agent.cli.command import Session, Stop
from archipel_agent.cli.output import Mark
from archipel_agent.compose import real_ports
from archipel_agent.host.hardware import text as file_text
from archipel_agent.k3s.files import empty_files
from archipel_agent.ports import Files, Ports
from archipel_contract.exits import Exit
from archipel_contract.wire import WireError

READY_SECONDS = 600.0
LOOK_SECONDS = 2.0


def mark_of(verdict: Verdict) -> Mark:
    """Return the mark of a verdict."""
    return {Verdict.PASS: Mark.GOOD, Verdict.FAIL: Mark.BAD, Verdict.TOLD: Mark.NOW}.get(verdict, Mark.OPEN)


def cut(session: Session, given: Ports | None = None) -> int:
    """Judge the round that the last cut ended, and begin the next one unless all are done."""
    ports = given or real_ports(session.paths)
    disk, options = ports.disk, session.options
    if options.forget:
        power_cut.forget(disk, session.paths)
        session.screen.line("All rounds are forgotten.")
        return Exit.OK
    loop = _known(session, disk) or Loop(wanted=options.rounds)
    boot_id = ports.machine.facts().boot_id
    if loop.boot_id and loop.boot_id == boot_id:
        session.screen.note("This machine has not been off since the round began: the round goes on.")
    elif loop.boot_id:
        loop = _judged(session, ports, loop)
    if loop.is_over or options.check:
        return _end(session, loop)
    return _round(session, ports, loop, boot_id)


def _known(session: Session, disk: Files) -> Loop | None:
    try:
        return power_cut.load(disk, session.paths)
    except (WireError, OSError) as error:
        raise Stop(
            Exit.FAILED,
            f"{power_cut.place(session.paths)} is damaged: {error}. That is itself a bad sign after a cut. "
            "Begin anew: archipel accept cut --forget",
        ) from error


def _judged(session: Session, ports: Ports, loop: Loop) -> Loop:
    """Return the loop with the round judged that the cut has ended, and keep it."""
    marks = power_cut.look(ports.disk, session.paths)
    seen = _seen(session)
    session.screen.note("waiting for the node to be ready")
    ready = _ready_after(ports)
    empty = tuple(str(path) for path in empty_files(ports.disk, session.paths))
    judged = power_cut.end_round(loop, marks, seen, ready, empty)
    power_cut.keep(ports.disk, session.paths, judged)
    _show(session, judged.rounds[-1])
    return judged


def _seen(session: Session) -> int | None:
    if session.options.seen is not None:
        number: int = session.options.seen
        return number
    if not session.interactive:
        return None
    said = input("The last number on the screen when the power went (empty: not known): ").strip()
    return int(said) if said.isdigit() else None


def _ready_after(ports: Ports) -> float | None:
    """Return for how many seconds this machine had run when its API answered; None if that never comes."""
    clock = ports.clock
    deadline = clock.monotonic() + READY_SECONDS
    while clock.monotonic() < deadline:
        if ports.kube.request("GET", "/readyz").status == 200:
            return round(ports.machine.usage().uptime_seconds or _uptime(), 1)
        clock.wait(LOOK_SECONDS)
    return None


def _uptime() -> float:
    return float((file_text("/proc/uptime") or "0").split()[0])


def _round(session: Session, ports: Ports, loop: Loop, boot_id: str) -> int:
    loop = power_cut.begin_round(ports.disk, session.paths, loop, boot_id)
    screen = session.screen
    screen.line(
        f"Round {loop.number} of {loop.wanted}. Pull the plug whenever you like, and remember the last number."
    )
    screen.line("After the start: sudo archipel accept cut     Ctrl-C ends the round without a cut.")
    for number in power_cut.write_marks(ports.disk, session.paths, loop.first):
        screen.out.write(f"{number}\n" if not screen.out.isatty() else f"\r  {number}  ")
        screen.out.flush()
        ports.clock.wait(PAUSE_SECONDS)
    return Exit.OK


def _show(session: Session, done: Round) -> None:
    if not session.screen.as_json:
        session.screen.line(f"{session.screen.mark(mark_of(done.verdict))} round {done.number}: {done.said}")


def _end(session: Session, loop: Loop) -> int:
    failed = [one for one in loop.rounds if one.verdict is Verdict.FAIL]
    good = sum(one.verdict is Verdict.PASS for one in loop.rounds)
    if session.screen.as_json:
        session.screen.data(loop)
    else:
        session.screen.line(f"{good} of {len(loop.rounds)} rounds are good; {loop.wanted} are wanted.")
        if loop.is_over:
            session.screen.line("They stand in the next report: sudo archipel accept run")
    return Exit.NOT_OK if failed else Exit.OK
