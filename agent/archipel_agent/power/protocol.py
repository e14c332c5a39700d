"""The few lines of the Network UPS Tools' protocol that are spoken here (RFC 9271): asking, and reading the answer. Pure."""

import re

PORT = 3493
ANSWER_LIMIT = 64 << 10
SETTING = re.compile(
    r"(?P<ups>[A-Za-z0-9_.-]{1,64})@(\[(?P<six>[0-9A-Fa-f:]+)\]|(?P<host>[A-Za-z0-9.-]{1,253}))(:(?P<port>\d{1,5}))?"
)
LINE = re.compile(r'VAR (?P<ups>\S+) (?P<name>\S+) "(?P<value>(?:[^"\\]|\\.)*)"')
NAMES = ("ups.status", "battery.charge", "battery.runtime")


class AnswerRefused(Exception):
    """The server said no, or nothing that can be understood; the message is one line."""


def address(setting: str) -> tuple[str, str, int]:
    """Return UPS, host and port of `name@host[:port]`; raise ValueError."""
    found = SETTING.fullmatch(setting)
    if found is None:
        raise ValueError("must be name@host")
    return found["ups"], found["six"] or found["host"], int(found["port"] or PORT)


def question(ups: str) -> bytes:
    """Return the line that asks for everything a UPS says."""
    return f"LIST VAR {ups}\n".encode("ascii")


def end(ups: str) -> bytes:
    """Return the line that ends a full answer."""
    return f"END LIST VAR {ups}\n".encode("ascii")


def variables(answer: bytes, ups: str) -> dict[str, str]:
    """Return the variables that matter; raise AnswerRefused."""
    text = answer.decode("utf-8", errors="replace")
    if text.startswith("ERR "):
        raise AnswerRefused(f"the UPS server says {text[4:].strip()[:60]}")
    if not answer.endswith(end(ups)) or not text.startswith(f"BEGIN LIST VAR {ups}\n"):
        raise AnswerRefused("the UPS server's answer is not complete")
    found = {}
    for line in text.splitlines():
        one = LINE.fullmatch(line)
        if one is not None and one["ups"] == ups and one["name"] in NAMES:
            found[one["name"]] = re.sub(r"\\(.)", r"\1", one["value"])
    return found
