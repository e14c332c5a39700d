"""Reference pages made from the fleet itself: its commands, its API, the controller's settings.

Called by `docs/generate.py` and by the test that holds the written pages to this. The commands are read from typer's
parsers, the API from the document the controller serves.
"""

from collections.abc import Iterator
from typing import Any

import typer

from archipel_contract import __version__
from archipel_contract.pagework import MADE, settings_page, table
from archipel_fleet.api.app import DESCRIPTION, described
from archipel_fleet.cli.main import HELP, PROGRAM, application
from archipel_fleet.settings import FILE, PREFIX, Settings

JSON = "application/json"


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {"fleet-cli.md": cli(), "fleet-api.md": api(), "fleet-settings.md": settings()}


# --- commands --------------------------------------------------------------------------------------------------------


def cli() -> str:
    """Return the page of the fleet's commands."""
    found = list(_commands(typer.main.get_command(application()), PROGRAM))
    rows = [(f"[`{name}`](#{name.replace(' ', '-')})", _first(command)) for name, command in found]
    parts = [
        MADE,
        "# The command `archipel fleet`\n",
        f"{HELP.splitlines()[0]}\n",
        "The [exit codes](exits.md) are those of all commands; 5 means here that the controller is away. Answers go to "
        "standard output, remarks to standard error. Environment: `ARCHIPEL_FLEET_URL`, `ARCHIPEL_FLEET_TOKEN`, "
        "`ARCHIPEL_LANGUAGE`, `NO_COLOR`, and the [settings of the controller](fleet-settings.md).\n",
        table(("command", "what it does"), rows),
    ]
    return "\n".join([*parts, *(_command(name, command) for name, command in found)])


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", {})
    if not below:
        yield name, command
    for word, one in below.items():
        yield from _commands(one, f"{name} {word}")


def _first(command: Any) -> str:
    return str(command.help).splitlines()[0]


def _command(name: str, command: Any) -> str:
    text, _, examples = str(command.help).partition("Examples:")
    typed = [line.strip() for line in examples.splitlines() if line.strip()]
    rows = [(f"`{_spelled(one)}`", one.help or "") for one in command.params if one.name != "help"]
    prose = (
        " ".join(text.split("\n\n")[0].split()),
        *(" ".join(part.split()) for part in text.split("\n\n")[1:]),
    )
    parts = [f"## {name}\n", *(f"{part}\n" for part in prose if part), table(("option", "meaning"), rows)]
    return "\n".join([*parts, "```\n" + "\n".join(typed) + "\n```\n"])


def _spelled(parameter: Any) -> str:
    described = parameter.type_descriptor
    choices = "|".join(str(getattr(one, "value", one)) for one in described.choices or ())
    if parameter.param_type_name == "argument":
        name = parameter.metavar or choices or str(parameter.name).upper()
        return name if parameter.required else f"[{name}]"
    names = "/".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.is_flag:
        return names
    return f"{names} {parameter.metavar or choices or ('N' if described.annotation is int else 'TEXT')}"


# --- the API ---------------------------------------------------------------------------------------------------------


def api() -> str:
    """Return the page of the controller's API."""
    document = described(__version__).openapi()
    calls = [(method, path, one) for path, item in document["paths"].items() for method, one in item.items()]
    rows = [
        (f"[`{method.upper()} {path}`](#{_anchor(method, path)})", one["summary"], _answer(one))
        for method, path, one in calls
    ]
    parts = [
        MADE,
        "# The API of the controller\n",
        DESCRIPTION,
        "The same as an OpenAPI document, for who is logged in: `/api/openapi.json`.\n",
        '```\ncurl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8470/api/v1/sites?contact=overdue\n```\n',
        table(("call", "what it does", "gives"), rows),
        *(_call(method, path, one) for method, path, one in calls),
        "## Shapes\n",
        *(_shape(name, shape) for name, shape in sorted(document["components"]["schemas"].items())),
    ]
    return "\n".join(parts)


def _anchor(method: str, path: str) -> str:
    kept = "".join(char for char in f"{method} {path}".lower() if char.isalnum() or char in " -_")
    return kept.replace(" ", "-")


def _answer(one: dict[str, Any]) -> str:
    good = next(answer for status, answer in one["responses"].items() if status.startswith("2"))
    content = good.get("content", {})
    return _type(content[JSON]["schema"]) if JSON in content else ", ".join(content)


def _call(method: str, path: str, one: dict[str, Any]) -> str:
    parts = [f"### {method.upper()} {path}\n", f"{one['description']}\n"]
    parameters = [
        (f"`{each['name']}`", _type(each["schema"]), each.get("description", "").replace("\n", " "))
        for each in one.get("parameters", [])
    ]
    if parameters:
        parts.append(table(("parameter", "type", "meaning"), parameters))
    if "requestBody" in one:
        parts.append(f"Takes {_type(one['requestBody']['content'][JSON]['schema'])}.\n")
    errors = sorted(status for status in one["responses"] if not status.startswith("2"))
    parts.append(f"Gives {_answer(one) or 'an empty answer'}; errors: {', '.join(errors)}.\n")
    return "\n".join(parts)


def _shape(name: str, shape: dict[str, Any]) -> str:
    parts = [f"### {name}\n"]
    if shape.get("description"):
        parts.append(f"{shape['description']}\n")
    if "enum" in shape:
        parts.append("One of " + ", ".join(f"`{one}`" for one in shape["enum"]) + ".\n")
    rows = [
        (f"`{key}`", _type(value), " ".join(value.get("description", "").split()))
        for key, value in shape.get("properties", {}).items()
    ]
    if any(meaning for _, _, meaning in rows):
        parts.append(table(("field", "type", "meaning"), rows))
    elif rows:
        parts.append(table(("field", "type"), [(key, kind) for key, kind, _ in rows]))
    return "\n".join(parts)


def _type(schema: dict[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_type(schema['additionalProperties'])}"
    return kind


# --- settings --------------------------------------------------------------------------------------------------------


def settings() -> str:
    """Return the page of the controller's settings."""
    text = (
        f"Default, then `{FILE}` in the data directory, then the environment, then options of `archipel fleet serve`: the "
        "later one counts. An unknown key or a value of the wrong type is refused with its place. The data directory is "
        "`/var/lib/archipel-fleet` for root and `~/.local/share/archipel-fleet` for others."
    )
    return settings_page("Settings of the controller", text, Settings(), PREFIX)
