"""Why a controller does not start, as a finding: raised by the parts of `serve`, said by it. Nothing is left half
started.
"""

from typing import TextIO

from archipel_contract import catalogue
from archipel_contract.exits import Exit
from archipel_contract.findings import Finding, Severity


class Refusal(Exception):
    """The controller does not start; `finding` says why and what to do."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.summary)
        self.finding = finding


def refusal(code: str, **params: str) -> Refusal:
    """Return the refusal with a code of the catalogue; `params` fill in its words."""
    try:
        return Refusal(catalogue.finding(code, (), None, **params))
    except catalogue.CodeUnknown:
        detail = params.get("detail", code)
        return Refusal(Finding(code=code, severity=Severity.PROBLEM, params=params, summary=detail))


def say(refused: Refusal, language: str, errors: TextIO) -> int:
    """Write why, and what to do, in `language`; return the exit code."""
    words = catalogue.words(refused.finding, language)
    detail = refused.finding.params.get("detail", "")
    more = [words.cause, "" if detail in words.cause else detail, words.remedy]
    said = [f"archipel fleet serve: {words.title}", *(f"  {line}" for line in more if line)]
    errors.write("\n".join(said) + "\n")
    return Exit.REFUSED
