"""How large files, functions, classes and parameter lists are, against the limits of the project.

Each measure returns sentences, one for each excess; an empty list is good.
"""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import Module

FILE_LINES = 500
MEDIAN_LINES = 150
FUNCTION_LINES = 50
CLASS_METHODS = 20
PARAMETERS = 7

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long_files(modules: list[Module]) -> list[str]:
    """Files over the limit, and the median if that is over its own."""
    found = [f"{m.path}: {m.lines} lines, limit {FILE_LINES}" for m in modules if m.lines > FILE_LINES]
    # An empty __init__ says nothing about how large our modules are.
    lengths = [m.lines for m in modules if m.lines > 1]
    median = statistics.median(lengths) if lengths else 0
    if median > MEDIAN_LINES:
        found.append(f"the median file has {median:g} lines, limit {MEDIAN_LINES}")
    return found


def too_long_functions(modules: list[Module]) -> list[str]:
    """Functions over the limit, from their first decorator to their last line."""
    found = []
    for path, function in functions(modules):
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        length = (function.end_lineno or function.lineno) - first + 1
        if length > FUNCTION_LINES:
            found.append(f"{path}:{first} {function.name}: {length} lines, limit {FUNCTION_LINES}")
    return found


def too_large_classes(modules: list[Module]) -> list[str]:
    """Classes with more methods than the limit."""
    found = []
    for module in modules:
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(part, Function) for part in node.body)
                if methods > CLASS_METHODS:
                    found.append(
                        f"{module.path}:{node.lineno} {node.name}: {methods} methods, limit {CLASS_METHODS}"
                    )
    return found


def too_many_parameters(modules: list[Module]) -> list[str]:
    """Functions with more parameters than the limit; self and cls do not count."""
    found = []
    for path, function in functions(modules):
        arguments = function.args
        names = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
        names += [a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None]
        if names[:1] in (["self"], ["cls"]):
            names.pop(0)
        if len(names) > PARAMETERS:
            found.append(
                f"{path}:{function.lineno} {function.name}: {len(names)} parameters, limit {PARAMETERS}"
            )
    return found


def functions(modules: list[Module]) -> Iterator[tuple[Path, Function]]:
    """Every function and method, nested ones too, with the file it is in."""
    for module in modules:
        for node in ast.walk(module.syntax):
            if isinstance(node, Function):
                yield module.path, node
