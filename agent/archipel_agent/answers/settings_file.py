"""Writes what the answers say into `agent.toml` without touching a line that a person wrote. Pure: text in, text out.

What comes from the answers stands between two marks at the end. Whoever writes a key by hand, outside the marks or by
changing it between them, has the last word: that key is left to them from then on, and the answers say so.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BEGIN = "# --- from archipel.toml; what you change here is yours from then on ---"
END = "# --- end of what is from archipel.toml ---"

Setting = str | float


class Unreadable(ValueError):
    """The file has a mistake, so that nothing can be added to it; the message is tomllib's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The file as it should be. `kept` are keys that a person has settled otherwise: key -> (asked, theirs)."""

    text: str
    written: Mapping[str, Setting]
    kept: Mapping[str, tuple[Setting, object]]


def merge(before: str, wanted: Mapping[str, Setting], written: Mapping[str, Sequence[Setting]]) -> Merged:
    """Return `before` with what is wanted in it; `written` is what the answers put there, or were about to.

    Raises Unreadable. A key the answers do not say any more is taken out again.
    """
    above, between, below = _parted(before)
    try:  # apart, because a key that a person has added outside may stand between the marks as well
        outside, inside = tomllib.loads(_joined(above, "", below)), tomllib.loads(between)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    unchanged = {
        key
        for key, value in inside.items()
        if key in written and any(_same(value, one) for one in written[key])
    }
    ours = unchanged | (set(inside) & set(outside))
    theirs = {key: value for key, value in inside.items() if key not in ours} | outside
    mine = {key: value for key, value in wanted.items() if key not in theirs}
    kept = {
        key: (value, theirs[key])
        for key, value in wanted.items()
        if key in theirs and not _same(theirs[key], value)
    }
    stays = [line for line in between.splitlines() if _key_of(line) not in ours and _key_of(line)]
    lines = [f"{key} = {_toml(value)}" for key, value in mine.items()]
    block = "\n".join((BEGIN, *stays, *lines, END)) + "\n" if stays or lines else ""
    return Merged(text=_joined(above, block, below), written=mine, kept=kept)


def _parted(text: str) -> tuple[str, str, str]:
    """Return what stands above, between and below the marks."""
    start, end = text.find(BEGIN), text.find(END)
    if start < 0 or end < start:
        return text, "", ""
    after = text.find("\n", end)
    return text[:start], text[start + len(BEGIN) : end], text[after + 1 :] if after >= 0 else ""


def _joined(above: str, block: str, below: str) -> str:
    if above and not above.endswith("\n"):
        above += "\n"
    return above + block + below


def _key_of(line: str) -> str:
    return line.partition("=")[0].strip() if "=" in line and not line.lstrip().startswith("#") else ""


def _same(one: object, other: Setting) -> bool:
    return one == other and not isinstance(one, bool)


def _toml(value: Setting) -> str:
    if isinstance(value, str):
        plain = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in plain) + '"'
    return f"{value:g}" if value == int(value) and abs(value) < 1e6 else repr(value)
