"""Every sentence about a finding, in English and German, from one file.

`findings.toml` holds for each code its severity, a runbook (steps to take in order) and for each language `title`,
`cause`, `remedy` and `runbook`. Sentences name their parameters in braces; a parameter the finding lacks stays visible
as `?name`, because a wrong sentence is better noticed than a crash.
"""

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources

from archipel_contract.findings import Finding, Severity

LANGUAGES = ("en", "de")


class CodeUnknown(KeyError):
    """The catalogue has no such finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A finding in words: what is wrong, why, what to do, and the steps of its runbook."""

    title: str
    cause: str
    remedy: str
    runbook: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One code of the catalogue."""

    code: str
    severity: Severity
    texts: dict[str, Text]


class _Parameters(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"?{key}"


@functools.cache
def entries() -> dict[str, Entry]:
    """Return the whole catalogue by code."""
    found = {}
    for name in ("findings.toml",):
        raw = tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
        for code, body in raw.items():
            texts = {language: _text(body[language]) for language in LANGUAGES}
            found[code] = Entry(code=code, severity=Severity(body["severity"]), texts=texts)
    return found


def _text(body: dict[str, object]) -> Text:
    runbook = body.get("runbook", [])
    steps = tuple(str(step) for step in runbook) if isinstance(runbook, list) else ()
    return Text(title=str(body["title"]), cause=str(body["cause"]), remedy=str(body["remedy"]), runbook=steps)


def entry(code: str) -> Entry:
    """Return one entry; raise CodeUnknown if the catalogue has none for `code`."""
    try:
        return entries()[code]
    except KeyError:
        raise CodeUnknown(code) from None


def words(finding: Finding, language: str = "en") -> Text:
    """Return `finding` in `language`; for a code this version does not know, the English sentences it carries."""
    known = entries().get(finding.code)
    if known is None:
        return Text(title=finding.summary or finding.code, cause="", remedy=finding.next_step)
    text = known.texts.get(language, known.texts["en"])
    values = _Parameters(finding.params)
    return Text(
        title=text.title.format_map(values),
        cause=text.cause.format_map(values),
        remedy=text.remedy.format_map(values),
        runbook=tuple(step.format_map(values) for step in text.runbook),
    )


def finding(
    code: str, evidence: tuple[str, ...] = (), severity: Severity | None = None, **params: str
) -> Finding:
    """Return the finding `code` with its severity from the catalogue and its English sentences filled in.

    Raises CodeUnknown: a check that names a code the catalogue lacks is a defect.
    """
    known = entry(code)
    bare = Finding(code=code, severity=severity or known.severity, evidence=evidence, params=params)
    text = words(bare)
    return Finding(
        code=code,
        severity=bare.severity,
        evidence=evidence,
        params=params,
        summary=text.title,
        next_step=text.remedy,
    )
