"""The words of the technician's screen, in English and German, from `ui.toml`.

Called by the TUI, which names each by its table and key (`home.state`). Sentences about findings are not
here but in the catalogue beside it. A word that is missing is a defect and raises; a test walks through all
of them.
"""

import functools
import tomllib
from importlib import resources

from archipel_contract.catalogue import LANGUAGES

# How German is written where only ASCII can be shown, after DIN 5007's second variant.
_ASCII = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "°": " ",
        "µ": "u",
        "½": "1/2",
        "\N{NO-BREAK SPACE}": " ",
    }
)


class WordUnknown(KeyError):
    """The file of words has no such key."""


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """Return all words: `table.key` -> language -> text. Reads the file once, so call it before an event
    loop runs.
    """
    raw = tomllib.loads(
        resources.files("archipel_contract.catalogue").joinpath("ui.toml").read_text(encoding="utf-8")
    )
    return {f"{group}.{key}": texts for group, words in raw.items() for key, texts in words.items()}


def ascii_text(text: str) -> str:
    """Return `text` in ASCII only: umlauts as two letters, anything else that is not ASCII as a question
    mark.
    """
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


class Words:
    """The words in one language; `words("home.state")` returns one, with its parameters filled in."""

    def __init__(self, language: str = "en", ascii_only: bool = False) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no words in {language!r}; there are {', '.join(LANGUAGES)}")
        self.language = language
        self.ascii_only = ascii_only

    def __call__(self, key: str, /, **values: str | int) -> str:
        """Return the text of `key`; raise WordUnknown if there is none."""
        try:
            text = table()[key][self.language]
        except KeyError:
            raise WordUnknown(key) from None
        return self.shown(text.format(**values) if values else text)

    def has(self, key: str) -> bool:
        """Whether there is such a word."""
        return key in table()

    def shown(self, text: str) -> str:
        """Return any text as this terminal may show it."""
        return ascii_text(text) if self.ascii_only else text
