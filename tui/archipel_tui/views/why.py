"""A finding in full: evidence, cause, remedy, and its runbook step by step."""

from archipel_contract.findings import Finding
from archipel_tui.store import Scene
from archipel_tui.text import Line, labelled, line, local_time, paragraph
from archipel_tui.views.words import SEVERITY, said


def page(scene: Scene, cells: int, finding: Finding | None) -> list[Line]:
    """Return the finding as a person reads it; a sentence when there is none."""
    words = scene.words
    if finding is None:
        return paragraph("+ " + words("why.none"), cells, "good")
    mark, style = SEVERITY[finding.severity]
    text = said(finding, words)
    found = [*paragraph(f"{mark} {text.title}", cells, style), line("")]
    found += _section(words("fact.cause"), [text.cause] if text.cause else [words("fact.unknown")], cells)
    found += _section(words("fact.remedy"), [text.remedy], cells)
    if text.runbook:
        steps = [f"{number}. {step}" for number, step in enumerate(text.runbook, 1)]
        found += _section(words("fact.runbook"), steps, cells)
    evidence = [words.shown(piece) for piece in finding.evidence] or [words("why.no-evidence")]
    found += _section(words("fact.evidence"), evidence, cells)
    since = local_time(finding.since, scene.now)
    if since:
        found += labelled(words("fact.since"), since, cells)
    return found + labelled(words("fact.code"), f"{finding.code}  (archipel why {finding.code})", cells)


def _section(title: str, texts: list[str], cells: int) -> list[Line]:
    found = [line((title, "label"))]
    for text in texts:
        found += [line("  ", *part) for part in paragraph(text, cells - 2)]
    return [*found, line("")]
