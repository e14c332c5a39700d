"""What the makers of reference pages share: tables, docstrings of attributes, settings, links to schemas."""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from archipel_contract import schema

MADE = "<!-- Made by `make reference` from the source; change it there. -->\n"


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


def settings_page(title: str, text: str, defaults: Any, prefix: str) -> str:
    """Return the page of a program's settings: `defaults` is the dataclass of them as it is when nothing is said."""
    docs = attribute_docs(type(defaults))
    rows = [
        (
            f"`{one.name}`",
            f"`{prefix}{one.name.upper()}`",
            f"`{getattr(defaults, one.name)!r}`",
            docs[one.name],
        )
        for one in fields(defaults)
    ]
    return "\n".join(
        [MADE, f"# {title}\n", f"{text}\n", table(("key", "environment", "default", "meaning"), rows)]
    )


def link(shape: type[Any]) -> str:
    """Return a link to the schema of `shape`."""
    return f"[{shape.__name__}](schemas/{schema.file_name(shape)})"
