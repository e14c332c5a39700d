"""In which language a command speaks, and whether in colour: the same rule for every `archipel` command.

Called by the commands of agent and controller, and by the technician's screen. It reads and writes nothing.
"""

from collections.abc import Mapping
from typing import TextIO

LANGUAGE_NAMES = (
    "ARCHIPEL_LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
)  # our own, then those of locale(7) in its order


def language_of(choice: str | None, environment: Mapping[str, str]) -> str:
    """Return `en` or `de`: as chosen, else as the environment says; English where it names one we do not speak."""
    if choice:
        return choice
    said = next((value for name in LANGUAGE_NAMES if (value := environment.get(name))), "")
    return "de" if said.lower().startswith("de") else "en"


def wants_color(choice: bool | None, out: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to colour: as chosen, else on a terminal that is not dumb, unless NO_COLOR is set (no-color.org)."""
    if choice is not None:
        return choice
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb" and out.isatty()
