"""What kubectl says without what people put into pods: values of environment variables, commands, arguments, annotations.

As in the support bundle. Objects are cleaned as data, whatever they look like as text; `describe` by its sections. Pure;
called by `kubectl`, which redacts what is left.
"""

import json
import re
from typing import Any

from archipel_agent.redact import redact, redact_data

REMOVED = "[removed]"
# Sections of `kubectl describe`: the names in them are kept, or nothing of them is.
NAMED, DROPPED = ("Environment", "Annotations"), ("Command", "Args")
SECTION = re.compile(rf"^(\s*)({'|'.join(NAMED + DROPPED)}):(.*)$")
HEADING = re.compile(r"^\s*[A-Za-z][A-Za-z0-9 ./()-]*:")  # what a section can end with
FIELD = re.compile(r"^(\s*[A-Za-z0-9_./-]+):(\s.*)?$")
# Where a value comes from, instead of the value: of a Secret, a ConfigMap, the pod itself.
REFERENCE = re.compile(r"\s*(<[^>]*>|\(v1:[a-z.A-Z\[\]']+\))(\s+Optional: (true|false))?\s*")


def objects(text: str, secrets: tuple[str, ...]) -> str:
    """Return objects in JSON without what is not to leave the site; raise ValueError for what is no JSON."""
    clean = redact_data(_clean(json.loads(text)), secrets)
    return json.dumps(clean, indent=1, ensure_ascii=False) + "\n"


def _clean(value: Any) -> Any:
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if not isinstance(value, dict):
        return value
    shown: dict[str, Any] = {}
    for name, one in value.items():
        if name in ("annotations", "data", "stringData", "binaryData", "managedFields") and isinstance(
            one, dict
        ):
            shown[name] = dict.fromkeys(one, REMOVED)
        elif name in ("command", "args", "managedFields") and isinstance(one, list):
            shown[name] = [REMOVED]
        elif name == "env" and isinstance(one, list):
            shown[name] = [_variable(variable) for variable in one]
        else:
            shown[name] = _clean(one)
    return shown


def _variable(variable: Any) -> Any:
    if isinstance(variable, dict) and "value" in variable:
        return {**variable, "value": REMOVED}
    return variable


def description(text: str, secrets: tuple[str, ...]) -> str:
    """Return what `kubectl describe` says without what is not to leave the site."""
    shown: list[str] = []
    depth, section = -1, ""
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if section and (indent > depth or not HEADING.match(line)):
            shown += _inside(section, line)
            continue
        found = SECTION.match(line)
        depth, section = (len(found[1]), found[2]) if found else (-1, "")
        shown.append(_opening(found) if found else line)
    return redact("\n".join(shown) + "\n", secrets)


def _opening(found: re.Match[str]) -> str:
    head, rest = f"{found[1]}{found[2]}:", found[3]
    if not rest.strip() or REFERENCE.fullmatch(rest):
        return head + rest
    return f"{head} {REMOVED}"


def _inside(section: str, line: str) -> list[str]:
    field = FIELD.match(line) if section in NAMED else None
    if field is None:
        return []
    value = field[2] or ""
    return [line if REFERENCE.fullmatch(value) else f"{field[1]}: {REMOVED}"]
