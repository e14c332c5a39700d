"""Saying what a repair will do before it is done, asking for it, and taking it back; used by `archipel doctor`.

The sentences come from the catalogue, what each step would change from the agent, which is asked without anything being
changed.
"""

from archipel_agent.checks.fixes import FIXES
from archipel_agent.cli.command import Session, Stop, agreed
from archipel_agent.cli.ensure import ensure_agent
from archipel_agent.cli.follow import run_job
from archipel_agent.cli.output import Mark, price
from archipel_agent.cli.reader import Remote, reader
from archipel_agent.cli.why import general
from archipel_contract.catalogue import entries, words
from archipel_contract.exits import Exit
from archipel_contract.findings import Fix
from archipel_contract.jobs import JobRequest, Plan, Verb

Options = dict[str, str | bool | int | list[str]]


def fix(session: Session, code: str, more: Options | None = None) -> int:
    """Say what the repair of `code` will do, ask where somebody can answer, and do it; with --plan only say it.

    `more` are further options of the job.
    """
    _known(code)
    request = JobRequest(verb=Verb.FIX, options={"code": code, **(more or {})})
    if session.options.plan:
        return _plan(session, request, code)
    ensure_agent(session, _spelled(session, code))
    if code in FIXES and not session.screen.as_json:
        _announce(session, Remote(session.client).plan(request), code)
        if session.interactive and not session.options.yes:
            agreed()
    ended = run_job(session, Verb.FIX, request.options)
    if ended == Exit.OK and code in FIXES and FIXES[code].undo and not session.screen.as_json:
        session.screen.line(f"  undo      sudo archipel {_spelled(session, code, undo=True)}")
    return ended


def undo(session: Session, code: str) -> int:
    """Take back what the repair of `code` changed."""
    _known(code)
    if session.options.plan:
        raise Stop(Exit.USAGE, "--plan goes with --fix; what taking back does is said there as well")
    ensure_agent(session, _spelled(session, code, undo=True))
    return run_job(session, Verb.FIX, {"code": code, "undo": True})


def _known(code: str) -> None:
    if code not in entries():
        raise Stop(Exit.USAGE, f"there is no finding {code!r}. See archipel why --list.")


def _plan(session: Session, request: JobRequest, code: str) -> int:
    if code not in FIXES:
        raise Stop(Exit.REFUSED, f"the agent cannot repair {code} by itself; the steps: archipel why {code}")
    plan = reader(session).plan(request)
    if session.screen.as_json:
        session.screen.data(plan)
        return Exit.OK
    session.screen.line("Nothing has been changed.")
    if not plan.findings:
        session.screen.line(f"This machine does not show {code} now.")
    _announce(session, plan, code)
    return Exit.OK


def _announce(session: Session, plan: Plan, code: str) -> None:
    screen, repair = session.screen, FIXES[code]
    text = words(plan.findings[0] if plan.findings else general(code), session.screen.language)
    screen.line(f"archipel {_spelled(session, code)}{price(repair)}")
    for number, sentence in enumerate(text.plan, 1):
        screen.line(f"  {number}. {sentence}")
    for step in plan.steps:
        said = step.said or ("" if step.needed else "nothing to do")
        mark = screen.mark(Mark.NOW if step.needed else Mark.GOOD)
        screen.line(f"  {mark} {step.title}{'  ' if said else ''}{said}")
    screen.line(f"  undo      {_undone(session, repair, text.undo)}")


def _spelled(session: Session, code: str, undo: bool = False) -> str:
    """Return the repair in the words of the command that a person has typed: `doctor --fix` or `repair`."""
    if hasattr(session.options, "fix"):
        return f"doctor --{'undo' if undo else 'fix'} {code}"
    return f"repair {code}{' --undo' if undo else ''}"


def _undone(session: Session, repair: Fix, sentence: str) -> str:
    command = f"sudo archipel {_spelled(session, repair.code, undo=True)}" if repair.undo else ""
    return "   ".join(part for part in (command, sentence) if part)
