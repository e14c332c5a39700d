"""Check this machine: every preflight check, before anything is changed. A problem refuses the job."""

from dataclasses import replace

from archipel_agent.checks import registry
from archipel_agent.checks.base import Phase
from archipel_agent.observe import World, asking, gather
from archipel_agent.steps.adopt_common import refuse
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.source import chosen_file
from archipel_contract.findings import Severity, Verdict, worst


def run(context: Context) -> str:
    """Look at everything; raise StepFailed with the worst problem, or for a k3s that an adopted site is not to have."""
    if context.options.k3s:
        refuse(context, "another k3s")
    world = World(paths=context.paths, store=context.store, settings_problem=context.settings_problem)
    file = chosen_file(context)
    evidence = gather(context.ports, asking(world, context.ports), context.options.wishes, file)
    if (
        file is None
    ):  # the k3s comes later, from a release; one that a cut-off job had only begun to lay down is none
        evidence = replace(evidence, binary=None, binary_problem="")
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


STEP = Step(slug="preflight", title="Check this machine", run=run, changes=False)
