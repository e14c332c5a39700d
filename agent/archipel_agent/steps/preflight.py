"""Check this machine: every preflight check, before anything is changed. A problem refuses the job."""

from archipel_agent.checks import registry
from archipel_agent.checks.base import Phase
from archipel_agent.observe import World, gather
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.source import chosen_file
from archipel_contract.findings import Severity, Verdict, worst


def run(context: Context) -> str:
    """Look at everything; raise StepFailed with the worst problem."""
    world = World(paths=context.paths, store=context.store)
    evidence = gather(context.ports, world, context.options.wishes, chosen_file(context))
    results = registry.look_all(evidence, Phase.PREFLIGHT)
    problems = tuple(one for result in results for one in result.findings if one.severity is Severity.PROBLEM)
    for problem in problems:
        context.progress.line(f"{problem.summary} {problem.next_step}")
    gravest = worst(problems)
    if gravest is not None:
        raise StepFailed(gravest, refused=True)
    good = sum(result.verdict is Verdict.OK for result in results)
    open_questions = sum(result.verdict is Verdict.UNDECIDED for result in results)
    hints = len(results) - good - open_questions
    return f"{len(results)} checks: {good} OK, {hints} hints, {open_questions} not decided"


STEP = Step(slug="preflight", title="Check this machine", run=run)
