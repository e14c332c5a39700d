"""Takes secrets out of text and data before they leave the machine or are shown: logs, local API, support bundle.

Pure. Called by whoever shows or packs what this machine wrote. Names stay, values become `[removed]`, so that a reader
still sees what was set. Two ways in: `redact` for text of any kind, `redact_data` for what will be JSON.

What it cannot tell from prose: a secret that is one plain word after a colon in the middle of a sentence, and a secret
with neither a name nor a shape. Secrets we know exactly are therefore given as well, and found in every encoding.
"""

import base64
import binascii
import functools
import json
import re
import urllib.parse
from collections.abc import Iterable
from typing import Any

from archipel_agent.redact.shapes import (
    ASSIGNED,
    BASE64,
    END_OF_PRIVATE,
    FLAG,
    IN_FLOW,
    INLINE,
    KEY_LINE,
    KEY_TAIL,
    LINE_START,
    LONG_BASE64,
    NAME,
    NOT_SECRET,
    OBJECT_NAME,
    PATH,
    PLAIN_WORD,
    PRIVATE,
    PRIVATE_REMOVED,
    REMOVED,
    SHAPES,
    STAND_IN,
    STOP_WORDS,
)

SHORTEST_KNOWN = 4  # a shorter "secret" would tear ordinary words apart
SHORTEST_IN_PROSE = 6
DEPTH = 3  # how often something may be packed into base64 again
SECRET_NAME = re.compile(rf"(?:{NAME})$", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without secrets: the exact `secrets` in any usual encoding, and everything that looks like one."""
    known = tuple(sorted({one.strip() for one in secrets if len(one.strip()) >= SHORTEST_KNOWN}))
    if known:
        text = BASE64.sub(lambda match: _without_known(match[0], known), text)
    for secret in _encodings(known):
        text = text.replace(secret, REMOVED)
    return _patterns(text, DEPTH)


def redact_lines(lines: Iterable[str], secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """Return log lines without secrets; taken together, because a key spans lines (there may be fewer afterwards)."""
    return tuple(redact("\n".join(lines), secrets).split("\n"))


def redact_data(data: Any, secrets: Iterable[str] = ()) -> Any:
    """Return what `json.dumps` takes with each text redacted, and with the values of keys that name a secret removed."""
    return _data(data, tuple(secrets))


def is_secret_name(name: str) -> bool:
    """Whether a key of this name holds a secret (`db_password`, `K3S_TOKEN`, `secret-key`)."""
    return SECRET_NAME.search(name) is not None


def _data(data: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(data, str):
        return redact(data, secrets)
    if isinstance(data, list | tuple):
        if all(isinstance(item, str) for item in data) and any("PRIVATE KEY" in item for item in data):
            return list(redact_lines(data, secrets))  # log lines, and a key spans lines
        return [_data(item, secrets) for item in data]
    if not isinstance(data, dict):
        return data
    kept = {}
    for key, value in data.items():
        # `{"name": "DB_PASSWORD", "value": ...}` is how Kubernetes writes an environment variable.
        named = str(data.get("name", "")) if key == "value" else str(key)
        hidden = isinstance(value, str) and is_secret_name(named) and _is_secret(value, named)
        kept[redact(str(key), secrets)] = REMOVED if hidden else _data(value, secrets)
    return kept


def _patterns(text: str, depth: int) -> str:
    if "PRIVATE KEY" in text:
        text = _without_heads(PRIVATE.sub(PRIVATE_REMOVED, text))
    for pattern, replacement in SHAPES:
        text = pattern.sub(replacement, text)
    text = _assignments(FLAG.sub(_flag, text))
    return LONG_BASE64.sub(lambda match: _unpacked(match[0], depth), text) if depth else text


def _without_heads(text: str) -> str:
    """Remove private keys whose beginning was cut off, as the first line of a log's tail may have."""
    at = 0
    while match := END_OF_PRIVATE.search(text, at):
        at = match.end()
        if text.endswith(REMOVED, 0, match.start()):
            continue
        *lines, own = text[: match.start()].split("\n")
        while lines and KEY_LINE.search(lines[-1]):
            lines.pop()
        head = "\n".join([*lines, KEY_TAIL.sub("", own) + REMOVED])
        text, at = head + text[match.start() :], len(head) + len(match[0])
    return text


def _flag(match: re.Match[str]) -> str:
    """`--token VALUE`, also as items of a list; in `pass --token to join` it is prose."""
    value = match["value"]
    if value.strip("\"'.,;:()").lower() in STOP_WORDS or not _is_secret(value, match["name"]):
        return match[0]
    return f"{match['name']}{match['between']}{REMOVED}"


def _assignments(text: str) -> str:
    """`NAME: VALUE`, `NAME=VALUE`, quoted or not, in any of the usual notations."""
    parts, at, look = [], 0, 0
    while match := ASSIGNED.search(text, look):
        end = _value_end(text, match)
        if end > match.end() and _is_secret(text[match.end() : end], match["name"]):
            parts += [text[at : match.end()], REMOVED]
            at = look = end
        else:
            look = match.end()
    return "".join([*parts, text[at:]])


def _value_end(text: str, match: re.Match[str]) -> int:
    """Return where the value that begins at the end of `match` ends; the same place when it is no value but prose."""
    start, line_end = match.end(), text.find("\n", match.end())
    line_end = len(text) if line_end < 0 else line_end
    begin = text.rfind("\n", 0, match.start()) + 1
    before = text[begin : match.start()].rstrip(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
    )
    is_prose = (
        ":" in match["sign"] and not match["closed"] and before.strip() and before.rstrip()[-1] not in "{[,|-"
    )
    end = line_end
    if match["open"]:
        end = _closing(text, match["open"], start, line_end)
    elif is_prose:
        end = start + len(text[start:line_end].split(" ", 1)[0])
    elif not LINE_START.fullmatch(text, begin, match.start()) or match["closed"]:
        value = (INLINE if "=" in match["sign"] else IN_FLOW).match(text, start, line_end)
        end = value.end() if value else start
        is_prose = is_prose or bool(
            match["closed"]
        )  # `node "token": node not found`; JSON knows no bare words
    return start if is_prose and _is_word(text[start:end]) else end


def _closing(text: str, quote: str, start: int, line_end: int) -> int:
    """Return where the quoted value ends; at a blank when its quote is never closed."""
    at = text.find(quote, start, line_end)
    while at > start and text[at - 1] == "\\":
        at = text.find(quote, at + 1, line_end)
    if at >= 0:
        return at
    value = INLINE.match(text, start, line_end)
    return value.end() if value else start


def _is_word(value: str) -> bool:
    """Whether this is rather the next word of a sentence than a secret."""
    bare = value.strip("\"'.,;:()[]")
    return (
        len(bare) < SHORTEST_IN_PROSE
        or bool(PLAIN_WORD.fullmatch(bare))
        or bare.startswith(("http://", "https://"))
    )


def _is_secret(value: str, name: str) -> bool:
    bare = value.strip().strip("\"'\\").rstrip(",;)}]")
    if bare.lower() in NOT_SECRET or value.strip("\"' ").startswith(REMOVED[:-1]) or STAND_IN.fullmatch(bare):
        return False
    if "pass" in name.lower():
        return True
    if name.lower().endswith(("secret", "token")) and OBJECT_NAME.fullmatch(bare):
        return False  # `secret="kube-system/k3s-serving"` names an object
    return not PATH.fullmatch(bare)


def _unpacked(packed: str, depth: int) -> str:
    """Return base64 as it is, or what stands for it when something inside looks like a secret."""
    try:
        readable = _decoded(packed).decode("utf-8")
    except UnicodeDecodeError:
        return packed
    return packed if _patterns(readable, depth - 1) == readable else REMOVED


def _without_known(packed: str, known: tuple[str, ...]) -> str:
    """Return base64 as it is, or what stands for it when one of these secrets is inside, however deep."""
    inside, depth = _decoded(packed), DEPTH
    while inside and depth:
        if any(secret.encode(errors="replace") in inside for secret in known):
            return REMOVED
        inside, depth = _decoded(inside.decode("latin-1").strip()), depth - 1
    return packed


def _decoded(packed: str) -> bytes:
    """Return what is inside base64 of either alphabet, with or without its padding; empty if it is no base64."""
    standard = packed.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


@functools.lru_cache(maxsize=4)
def _encodings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Return each secret as it stands, as JSON, in a URL, and in base64 at its three alignments, the longest first."""
    found = set()
    for secret in secrets:
        found |= {secret, json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe="")}
        raw = secret.encode(errors="replace")
        for shift in range(3):
            packed = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
            # The first characters depend on what stands before, the last on what follows.
            inner = packed[(0, 2, 3)[shift] : len(packed) - (0 if (shift + len(raw)) % 3 == 0 else 1)]
            if len(inner) >= SHORTEST_KNOWN * 2:
                found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return tuple(sorted(found, key=len, reverse=True))
