"""Reference pages made from the contract itself: the local API, the exit codes, the findings.

Called by `docs/generate.py` and by the test that holds the written pages to this. Pure text from tables; reads source files
only for the docstrings behind enum members and fields.
"""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from archipel_contract import schema
from archipel_contract.api import ENDPOINTS, AccessRole, Endpoint
from archipel_contract.catalogue import Entry, entries
from archipel_contract.exits import Exit

MADE = "<!-- Made by `make reference` from the source; change it there. -->\n"


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    return {"api.md": api(), "exits.md": exits(), "findings.md": findings()}


def attribute_docs(owner: type[Any]) -> dict[str, str]:
    """Return the docstring behind each attribute of a class, on one line; attributes without one are left out."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)  # the source of a class is one
    docs = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
            name = before.targets[0] if isinstance(before, ast.Assign) else before.target
            if (
                isinstance(name, ast.Name)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[name.id] = " ".join(after.value.value.split())
    return docs


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


def api() -> str:
    """Return the page of the local API."""
    roles = attribute_docs(AccessRole)
    parts = [
        MADE,
        "# The local API\n",
        "HTTP/1.1 with JSON bodies on the Unix socket `/run/archipel/agent.sock`. For example:\n",
        "```\ncurl --unix-socket /run/archipel/agent.sock http://agent/v1/report\n```\n",
        "Streams are server-sent events: `data:` holds one object of the named type, `id:` of a job's events its sequence "
        "number, and a comment comes at least every 5 seconds. Every answer that is not 2xx has a "
        "[Problem](schemas/problem.json) as its body. Unknown fields in answers must be ignored: newer agents send more. "
        "Unknown fields and query words in requests are refused.\n",
        "## Roles\n",
        "The role follows from the user at the other end of the socket, as the kernel says. To open the socket at all a "
        "user is root or in the group `archipel`; technicians are in both groups.\n",
        table(("role", "who, and what"), [(role.name.lower(), roles[role.name]) for role in AccessRole]),
        "## Calls\n",
        table(
            ("call", "role", "takes", "gives"),
            [
                (f"[`{one.method} {one.path}`](#{one.name})", one.role.name.lower(), _takes(one), _gives(one))
                for one in ENDPOINTS
            ],
        ),
    ]
    parts += [_call(one) for one in ENDPOINTS]
    return "\n".join(parts)


def _takes(endpoint: Endpoint) -> str:
    return _link(endpoint.request) if endpoint.request else ""


def _gives(endpoint: Endpoint) -> str:
    return f"stream of {_link(endpoint.response)}" if endpoint.stream else _link(endpoint.response)


def _link(shape: type[Any]) -> str:
    return f"[{shape.__name__}](schemas/{schema.file_name(shape)})"


def _call(endpoint: Endpoint) -> str:
    lines = [f"### {endpoint.name}\n", f"`{endpoint.method} {endpoint.path}`: {endpoint.summary}\n"]
    if endpoint.query:
        lines.append(
            table(("query", "meaning"), [(f"`{name}`", what) for name, what in endpoint.query.items()])
        )
    return "\n".join(lines)


def exits() -> str:
    """Return the page of the exit codes."""
    docs = attribute_docs(Exit)
    rows = [
        (str(int(code)), code.name, docs.get(code.name, "The work is done, or the answer is good."))
        for code in Exit
    ]
    return "\n".join([MADE, "# Exit codes\n", f"{Exit.__doc__}\n", table(("code", "name", "meaning"), rows)])


def findings() -> str:
    """Return the page of all findings, in both languages."""
    known = sorted(entries().values(), key=lambda entry: entry.code)
    rows = [(f"[`{one.code}`](#{one.code})", one.severity.value, one.texts["en"].title) for one in known]
    head = [
        MADE,
        "# Findings\n",
        "Everything the checks can find, as `archipel why CODE` explains it. A word in braces stands for a value of the "
        "machine.\n",
        table(("code", "severity", "what"), rows),
    ]
    return "\n".join([*head, *(_finding(one) for one in known)])


def _finding(entry: Entry) -> str:
    parts = [f"## {entry.code}\n"]
    for language, (cause, remedy) in {"en": ("Cause", "Remedy"), "de": ("Ursache", "Abhilfe")}.items():
        text = entry.texts[language]
        parts.append(f"**{text.title}**\n\n{cause}: {text.cause}\n\n{remedy}: {text.remedy}\n")
        parts += [f"{number}. {step}" for number, step in enumerate(text.runbook, 1)]
        parts.append("")
    return "\n".join(parts)
