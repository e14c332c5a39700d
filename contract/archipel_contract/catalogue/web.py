"""The words of the fleet's web pages, in English and German, from `web.toml`.

Called by the pages, which name each by its table and key (`list.title`). Sentences about findings are not here but in
the catalogue beside it. A word that is missing is a defect and raises; a test walks through all of them.
"""

import functools
import tomllib
from importlib import resources

from archipel_contract.catalogue import LANGUAGES


class WordUnknown(KeyError):
    """The file of words has no such key."""


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """Return all words: `table.key` -> language -> text. Reads the file once, so call it before an event loop runs."""
    raw = tomllib.loads(
        resources.files("archipel_contract.catalogue").joinpath("web.toml").read_text(encoding="utf-8")
    )
    return {f"{group}.{key}": texts for group, words in raw.items() for key, texts in words.items()}


class Words:
    """The words in one language; `words("list.title")` returns one, with its parameters filled in."""

    def __init__(self, language: str = "en") -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no words in {language!r}; there are {', '.join(LANGUAGES)}")
        self.language = language

    def __call__(self, key: str, /, **values: str | int) -> str:
        """Return the text of `key`; raise WordUnknown if there is none."""
        try:
            text = table()[key][self.language]
        except KeyError:
            raise WordUnknown(key) from None
        return text.format(**values) if values else text

    def count(self, key: str, count: int, /, **values: str | int) -> str:
        """Return the sentence about `count` things: the one under `key-one` for exactly one, if there is such."""
        one = f"{key}-one"
        return self(one if count == 1 and one in table() else key, count=count, **values)

    def has(self, key: str) -> bool:
        """Whether there is such a word."""
        return key in table()
