"""Small sentences several views share: states with their marks, findings in the chosen language, names of
checks.
"""

from archipel_contract import catalogue
from archipel_contract.catalogue import Text
from archipel_contract.catalogue.ui import Words
from archipel_contract.findings import Finding, Severity, Verdict
from archipel_contract.status import Health, Report

# One mark a state, so that nothing is told by colour alone.
SEVERITY = {
    Severity.PROBLEM: ("x", "bad"),
    Severity.WARNING: ("!", "warn"),
    Severity.HINT: ("?", "soft"),
    Severity.UNKNOWN: ("!", "warn"),
}
VERDICT = {Verdict.OK: ("+", "good"), Verdict.FOUND: ("x", "bad"), Verdict.UNDECIDED: ("?", "soft")}
HEALTH = {
    Health.HEALTHY: ("+", "good"),
    Health.UNHEALTHY: ("x", "bad"),
    Health.UNKNOWN: ("?", "warn"),
    Health.NOT_SET_UP: ("!", "warn"),
    Health.STOPPED: ("!", "warn"),
    Health.WORKING: ("!", "warn"),
}


def health(report: Report, words: Words) -> tuple[str, str]:
    """Return the state in words with its mark, and its style: `x 2 problems`."""
    mark, style = HEALTH[report.health]
    text = words(f"health.{report.health}")
    if report.health in (Health.UNHEALTHY, Health.HEALTHY):
        for severity, one, many in (
            (Severity.PROBLEM, "health.problem", "health.problems"),
            (Severity.WARNING, "health.warning", "health.warnings"),
        ):
            count = sum(1 for finding in report.findings if finding.severity is severity)
            if count:
                mark, style = SEVERITY[severity]
                text = words(one) if count == 1 else words(many, count=count)
                break
    return f"{mark} {text}", style


def said(finding: Finding, words: Words) -> Text:
    """Return a finding's sentences in the chosen language, as this terminal may show them."""
    text = catalogue.words(finding, words.language)
    return Text(
        title=words.shown(text.title),
        cause=words.shown(text.cause),
        remedy=words.shown(text.remedy),
        runbook=tuple(words.shown(step) for step in text.runbook),
        plan=tuple(words.shown(step) for step in text.plan),
        undo=words.shown(text.undo),
    )


def named(group: str, slug: str, fallback: str, words: Words) -> str:
    """Return the name of a check or a step: our word for its slug, or what the agent calls it."""
    key = f"{group}.{slug}"
    return words(key) if words.has(key) else words.shown(fallback)


def verb(name: str, words: Words) -> str:
    """Return what a job is doing, in words."""
    return named("verb", name, name, words)
