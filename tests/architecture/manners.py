"""Rules of writing that no linter knows: headers, reasons for exceptions, words that have no place here.

Each check returns sentences, one for each breach; an empty list is good.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import Module

# A reason is at least two words after the code in brackets or after the rule's name.
_REASON = r"[\s#:-]*[^\s#:-]\S*\s+\S+"
_IGNORED_TYPE = re.compile(r"#\s*type:\s*ignore(?P<code>\[[\w, -]+\])?(?P<rest>.*)")
_SILENCED_LINT = re.compile(r"#\s*noqa(?P<code>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?(?P<rest>.*)")
_SUPPRESSES = re.compile(r"#\s*(?:type:\s*ignore|noqa)")
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_PLACE_OF_A_DEVELOPER = re.compile(r"(?<![\w./-])/(?:work|home/[a-z]+|root/\.[a-z]+)/")
_PLACE_OF_EVERYBODY = re.compile(r"(?<![\w./-])/tmp(?:/|\b)")


def without_header(modules: list[Module]) -> list[str]:
    """Modules that do not say what they are for; empty ones need not."""
    return [
        f"{module.path}: no module docstring"
        for module in modules
        if module.syntax.body and not ast.get_docstring(module.syntax)
    ]


def without_reason(modules: list[Module]) -> list[str]:
    """Suppressed errors that do not name both the error and the reason, on their own line."""
    found = []
    for module in modules:
        # Taking a file apart is slow, and most suppress nothing.
        if not _SUPPRESSES.search(module.text):
            continue
        for line, comment in comments(module):
            for pattern in (_IGNORED_TYPE, _SILENCED_LINT):
                match = pattern.search(comment)
                if match and not (match["code"] and re.search(_REASON, match["rest"])):
                    found.append(f"{module.path}:{line} suppresses without code and reason: {comment}")
    return found


def comments(module: Module) -> Iterator[tuple[int, str]]:
    """Every comment with its line number; text that only looks like one is left out."""
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def unfinished(path: Path, text: str) -> list[str]:
    """Marks of unfinished work."""
    return _matching(_UNFINISHED, "unfinished", path, text)


def places(path: Path, text: str, is_test: bool) -> list[str]:
    """Paths of one person's machine; and, outside tests, /tmp, where anybody may have put a trap."""
    found = _matching(_PLACE_OF_A_DEVELOPER, "a place on one machine", path, text)
    if not is_test:
        found += _matching(_PLACE_OF_EVERYBODY, "a shared temporary place", path, text)
    return found


def _matching(pattern: re.Pattern[str], what: str, path: Path, text: str) -> list[str]:
    return [
        f"{path}:{number} {what}: {line.strip()[:100]}"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
