"""Who writes to the disk: only the one door may, and this finds the calls of anybody else.

By name, since the syntax tree knows no types: a method of ours that is called `unlink` on something that is
no path would be found too, and should get another name.
"""

import ast

from tests.architecture.tree import Module

# Of pathlib.Path; its rename and replace are left out, as text and dataclasses have methods of these names.
PATH_METHODS = {
    "write_text", "write_bytes", "unlink", "rmdir", "mkdir", "touch", "symlink_to", "hardlink_to", "chmod",
    "lchmod",
}  # fmt: skip
OS_FUNCTIONS = {
    "write", "pwrite", "rename", "replace", "remove", "unlink", "rmdir", "mkdir", "makedirs", "removedirs",
    "symlink", "link", "truncate", "ftruncate", "chmod", "chown", "fsync", "fdatasync", "mkfifo",
}  # fmt: skip


def writes(module: Module) -> list[str]:
    """Calls that create, change or remove a file, one sentence each."""
    return [
        f"{module.path}:{node.lineno} writes to the disk: {ast.unparse(node)[:80]}"
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.Call) and _writes(node)
    ]


def _writes(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id == "open" and _opens_for_writing(call, 1)
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    if owner == "shutil":
        return function.attr not in ("which", "disk_usage", "get_terminal_size")
    if owner == "os":
        return function.attr in OS_FUNCTIONS
    if function.attr == "open":
        return _opens_for_writing(call, 0)
    return function.attr in PATH_METHODS


def _opens_for_writing(call: ast.Call, position: int) -> bool:
    given = [word.value for word in call.keywords if word.arg == "mode"] or call.args[position : position + 1]
    if not given or not isinstance(given[0], ast.Constant) or not isinstance(given[0].value, str):
        return False
    return bool(set("wax+") & set(given[0].value)) and len(given[0].value) <= 3
