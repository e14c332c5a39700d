"""What a job would do if it were started now: each step is asked, and nothing is changed. Called by the service."""

from archipel_agent.checks import registry
from archipel_agent.checks.base import Evidence, Phase
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.adoption import Difference
from archipel_contract.catalogue import finding
from archipel_contract.findings import Finding, Severity
from archipel_contract.jobs import Plan, PlannedStep, Verb
from archipel_contract.site import Hardening


def plan_of(story: tuple[Step, ...], context: Context, evidence: Evidence) -> Plan:
    """Return the plan of the context's job.

    For `up` what the checks of `preflight` found comes along, for `fix` the finding to be repaired.
    """
    steps = tuple(_planned(step, context) for step in story)
    drift = _drift(context) if context.verb is Verb.ADOPT else ()
    if context.verb is Verb.RESTORE:
        from archipel_agent.steps import restore_plan  # noqa: PLC0415 - an agent at rest does without it

        seen = restore_plan.foresee(context)
        return Plan(
            verb=context.verb, steps=steps, findings=seen.problems, backup=seen.contents, drift=seen.drift
        )
    return Plan(verb=context.verb, steps=steps, findings=_findings(context, evidence), drift=drift)


def _drift(context: Context) -> tuple[Difference, ...]:
    """Return where the k3s that is here differs from one of ours; nothing where it cannot be read."""
    from archipel_agent.k3s import drift_seen  # noqa: PLC0415 - an agent at rest does without it
    from archipel_agent.steps import adopt_site  # noqa: PLC0415 - as above

    site = context.store.site()
    try:
        if site is None or not site.adopted:
            site = adopt_site.describe(context)
        return drift_seen.seen(context.ports, context.paths, site)
    except (StepFailed, CommandFailed, OSError):
        return ()


def _refused_adoption(context: Context) -> tuple[Finding, ...]:
    from archipel_agent.steps import adopt_look  # noqa: PLC0415 - as above

    try:
        adopt_look.look(context)
    except StepFailed as refused:
        return (refused.finding,)
    return ()


def _findings(context: Context, evidence: Evidence) -> tuple[Finding, ...]:
    if context.verb is Verb.UP:
        found = registry.look_all(evidence, Phase.PREFLIGHT)
        told = tuple(one for result in found for one in result.findings if one.severity is not Severity.HINT)
        return (*told, *_of_a_wish(context, evidence))
    if context.verb is Verb.ADOPT:
        return _refused_adoption(context)
    if context.verb is Verb.FIX:
        found = registry.look_all(evidence, Phase.RUNTIME if evidence.site else Phase.PREFLIGHT)
        return tuple(one for one in registry.findings(found) if one.code == context.options.code)
    return ()


def _of_a_wish(context: Context, evidence: Evidence) -> tuple[Finding, ...]:
    """Return what a stricter site will break; nothing where it is one already."""
    if context.options.hardening != Hardening.STRICT:
        return ()
    is_already = evidence.site is not None and evidence.site.hardening is Hardening.STRICT
    return () if is_already else (finding("hardening-strict"),)


def _planned(step: Step, context: Context) -> PlannedStep:
    """Ask one step; one that cannot know yet, because an earlier one has not run, is needed."""
    try:
        already = step.check(context)
    except (LookupError, StepFailed, CommandFailed, OSError, AssertionError):
        already = None
    try:
        said = already if already is not None else step.foresee(context)
    except (LookupError, StepFailed, CommandFailed, OSError, AssertionError) as error:
        said = str(error)
    return PlannedStep(slug=step.slug, title=step.title, needed=already is None, said=said)
