"""The doctor: every check with its verdict, and what the chosen one found."""

from archipel_contract.findings import CheckResult, Severity, Verdict, worst
from archipel_tui.store import Scene
from archipel_tui.text import Line, clean, duration, labelled, line, local_time, pad, paragraph
from archipel_tui.views.words import SEVERITY, VERDICT, named, said

_ORDER = {Verdict.FOUND: 0, Verdict.UNDECIDED: 1, Verdict.OK: 2}


def ordered(results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """Return the results with what was found first, the gravest on top."""
    grave = {Severity.PROBLEM: 0, Severity.WARNING: 1, Severity.UNKNOWN: 1, Severity.HINT: 2}

    def rank(result: CheckResult) -> tuple[int, int]:
        finding = worst(result.findings)
        return _ORDER[result.verdict], grave[finding.severity] if finding else 3

    return tuple(sorted(results, key=rank))


def mark(result: CheckResult) -> tuple[str, str]:
    """Return the mark of a check and its style: of what it found, or of its verdict."""
    finding = worst(result.findings)
    if result.verdict is Verdict.FOUND and finding is not None:
        return SEVERITY[finding.severity]
    return VERDICT[result.verdict]


def name(result: CheckResult, scene: Scene) -> str:
    """Return what the check is called."""
    return named("check", result.slug, clean(result.slug.replace("_", " ").replace("-", " ")), scene.words)


def counts(scene: Scene) -> str:
    """Return `14 checks: 11 OK, 2 found, 1 not decided`."""
    checks, words = scene.picture.checks, scene.words
    if checks is None:
        return words("doctor.running")
    tally = {verdict: sum(1 for result in checks.results if result.verdict is verdict) for verdict in Verdict}
    return words(
        "doctor.counts",
        all=len(checks.results),
        ok=tally[Verdict.OK],
        found=tally[Verdict.FOUND],
        undecided=tally[Verdict.UNDECIDED],
    )


def listing(scene: Scene, cells: int, chosen: int) -> list[Line]:
    """One line a check, the chosen one marked by `>` and a bar."""
    checks, words = scene.picture.checks, scene.words
    if checks is None:
        return paragraph(words("doctor.running"), cells)
    if not checks.results:
        return paragraph(words("doctor.none"), cells)
    found = []
    for index, result in enumerate(ordered(checks.results)):
        sign, style = mark(result)
        here = index == chosen
        text = pad(f"{'>' if here else ' '}{sign} {name(result, scene)}", cells)
        found.append(line((text, "cursor" if here else style)))
    return found


def explanation(scene: Scene, cells: int, result: CheckResult) -> list[Line]:
    """What one check found: each finding with cause, remedy and repair, or what was measured."""
    words = scene.words
    found: list[Line] = []
    for finding in result.findings:
        text = said(finding, words)
        sign, style = SEVERITY[finding.severity]
        found += paragraph(f"{sign} {text.title}", cells, style)
        if text.cause:
            found += [line(""), *labelled(words("fact.why"), text.cause, cells)]
        since = local_time(finding.since, scene.now)
        if since:
            found += labelled(words("fact.since"), since, cells)
        found += [line(""), *labelled(words("fact.do"), text.remedy, cells, style="strong")]
        if finding.fix is not None:
            time = duration(finding.fix.usual_seconds, words)
            sentence = (
                words("doctor.fix-restarts", time=time) if finding.fix.restarts else words("doctor.fix")
            )
            found += [line(""), *paragraph(sentence, cells, "key")]
        found.append(line(""))
    if not result.findings:
        sentence = words("doctor.undecided") if result.verdict is Verdict.UNDECIDED else words("doctor.ok")
        sign, style = VERDICT[result.verdict]
        found += [*paragraph(f"{sign} {sentence}", cells, style), line("")]
    if result.said:
        found += paragraph(words("doctor.measured", said=words.shown(result.said)), cells)
    return found
