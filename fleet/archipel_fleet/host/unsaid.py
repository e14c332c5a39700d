"""What the controller's log never says: private keys, secrets of tokens, passwords. Pure; a net under every line.

Nobody is meant to log any of this. Where an error quotes what it was given, or a library what it was asked for, this
takes it out; and so it does with values whose name announces a secret.
"""

import re
from collections.abc import MutableMapping
from typing import Any

REMOVED = "[removed]"
_GROUP = "[0-9a-hjkmnp-tv-z]{5}"
_SHAPES = (
    # A private key in PEM, its line ends real or written as \n, its end perhaps cut off.
    (re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?s:.*?)(?=-----END|\Z)"), rf"\1{REMOVED}"),
    # An enrolment token id.secret.pin (see the contract's `trust.token`); the id tells which one it was.
    (re.compile(r"(?i)(?<![\w.-])([0-9a-z]{8}\.)[0-9a-z]{26}(?:\.[0-9a-z]{26})?(?![\w-])"), rf"\1{REMOVED}"),
    # A root key as text on paper: fourteen groups of five, or the rows in which they are printed.
    (re.compile(rf"(?i)(?<![\w.-])(?:{_GROUP}(?:[\s.,-]|\\n){{1,4}}){{13}}{_GROUP}(?![\w-])"), REMOVED),
    (re.compile(rf"(?i)(\b\d{{1,2}}:)(?:[ \t]{{2,4}}{_GROUP}){{2,4}}"), rf"\1{REMOVED}"),
    # The password in an address of a broker, proxy or database.
    (re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'?#]{0,100}:)[^\s/\"'<>]+(?=@)"), rf"\1{REMOVED}"),
    # A token's PIN (RFC 7512), and headers.
    (re.compile(r"(pin-value=)[^\s&\"']+"), rf"\1{REMOVED}"),
    (re.compile(r"(?i)(authorization\W{1,4}(?:basic|bearer)\s+)[\w.~+/=-]+"), rf"\1{REMOVED}"),
)
_NAMES = re.compile(r"(?i)(?:^|[_-])(?:password|passphrase|secret|token|pin|recovery|cookie|authorization)$")


def unsaid(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a log entry without secrets; a processor of structlog, so the first two are its own affair."""
    for name, value in event.items():
        event[name] = REMOVED if value and _NAMES.search(name) and isinstance(value, str) else _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value


def without_secrets(text: str) -> str:
    """Return text with what looks like a secret removed."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text
