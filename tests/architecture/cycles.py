"""Import cycles inside a package, counting imports inside functions and under TYPE_CHECKING like any other.

A package counts as its `__init__` module. Importing a name from a package that is itself a module counts as
importing that module; that every module also needs the `__init__` of the packages around it is no import of
its own and not counted.
"""

import ast
from collections.abc import Iterable

from tests.architecture.tree import Module

Graph = dict[str, set[str]]


def imports(modules: list[Module]) -> Graph:
    """Module name -> names of those modules, out of the ones given, that it imports anywhere in its text."""
    known = {module.name for module in modules}
    graph: Graph = {}
    for module in modules:
        found = {name for node in ast.walk(module.syntax) for name in _imported(node, module, known)}
        graph[module.name] = found - {module.name}
    return graph


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of modules each of which reaches every other of its group (Tarjan's strongly connected ones)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        path.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in path:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = path[path.index(name) :]
            del path[path.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def _imported(node: ast.AST, module: Module, known: set[str]) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [name for alias in node.names if (name := _nearest(alias.name, known))]
    if isinstance(node, ast.ImportFrom):
        base = _absolute(node, module)
        named = [_nearest(f"{base}.{alias.name}", known) for alias in node.names]
        return [name for name in named if name]
    return []


def _nearest(name: str, known: set[str]) -> str:
    # `package.module.function` is an import of package.module.
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    own_levels = node.level - 1 if module.path.name == "__init__.py" else node.level
    return ".".join([*parts[: len(parts) - own_levels], *([node.module] if node.module else [])])
