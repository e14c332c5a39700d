"""Every sentence about a finding, in English and German, from one file.

`findings.toml` holds for each code its severity, a runbook (steps to take in order) and for each language `title`,
`cause`, `remedy` and `runbook`, and where the agent can repair it `plan` (what the repair will do, in order) and `undo` (how
that is taken back). Sentences name their parameters in braces; a parameter the finding lacks stays visible
as `?name`, because a wrong sentence is better noticed than a crash.
"""

import functools
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from archipel_contract.findings import Finding, Severity

LANGUAGES = ("en", "de")
_HEAD = re.compile(rb"^\[([a-z0-9-]+)\]$", re.MULTILINE)


class CodeUnknown(KeyError):
    """The catalogue has no such finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A finding in words: what is wrong, why, what to do, the steps of its runbook, and what a repair would do."""

    title: str
    cause: str
    remedy: str
    runbook: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()  # what the agent's repair will do; empty where there is none
    undo: str = ""  # how that is taken back, or why there is nothing to take back


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
def _file() -> int:
    """Return the catalogue as an open file. It stays open, so that its tables lie where they did when it is replaced."""
    # Not by importlib.resources, which holds most of a megabyte of an agent's memory for as much as this.
    return os.open(Path(__file__).with_name("findings.toml"), os.O_RDONLY)


@functools.cache
def _tables() -> dict[str, tuple[int, int]]:
    """Return where each code's table begins and how long it is, in bytes.

    Unparsed and unheld: reading all of it takes a slow machine a quarter of a second, and holding it most of a megabyte.
    """
    held = os.pread(_file(), os.fstat(_file()).st_size, 0)
    heads = list(_HEAD.finditer(held))
    ends = [head.start() for head in heads[1:]] + [len(held)]
    return {
        head[1].decode(): (head.start(), end - head.start()) for head, end in zip(heads, ends, strict=True)
    }


@functools.cache
def _entry(code: str) -> Entry:
    start, length = _tables()[code]
    body = tomllib.loads(os.pread(_file(), length, start).decode())[code]
    texts = {language: _text(body[language]) for language in LANGUAGES}
    return Entry(code=code, severity=Severity(body["severity"]), texts=texts)


def entries() -> dict[str, Entry]:
    """Return the whole catalogue by code."""
    return {code: _entry(code) for code in _tables()}


def _text(body: dict[str, object]) -> Text:
    return Text(
        title=str(body["title"]),
        cause=str(body["cause"]),
        remedy=str(body["remedy"]),
        runbook=_list(body.get("runbook")),
        plan=_list(body.get("plan")),
        undo=str(body.get("undo", "")),
    )


def _list(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def entry(code: str) -> Entry:
    """Return one entry; raise CodeUnknown if the catalogue has none for `code`."""
    if code not in _tables():
        raise CodeUnknown(code)
    return _entry(code)


def words(finding: Finding, language: str = "en") -> Text:
    """Return `finding` in `language`; for a code this version does not know, the English sentences it carries."""
    if finding.code not in _tables():
        return Text(title=finding.summary or finding.code, cause="", remedy=finding.next_step)
    texts = _entry(finding.code).texts
    text = texts.get(language, texts["en"])
    values = _Parameters(finding.params)
    return Text(
        title=text.title.format_map(values),
        cause=text.cause.format_map(values),
        remedy=text.remedy.format_map(values),
        runbook=tuple(step.format_map(values) for step in text.runbook),
        plan=tuple(step.format_map(values) for step in text.plan),
        undo=text.undo.format_map(values),
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
