"""The project's own files: which there are, and the parsed form of the Python among them.

Used by the measures of this folder. Knows git's idea of what belongs to the project only through
`.gitignore`'s plain folder names; it starts no process.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {name: REPOSITORY / name / f"archipel_{name}" for name in ("contract", "agent", "fleet", "tui")}
_OUTSIDE = {".git", ".venv", ".tools", ".run", "__pycache__", "dist", "build", "node_modules"}
_TEXT = {
    ".py",
    ".md",
    ".toml",
    ".sh",
    ".service",
    ".conf",
    ".json",
    ".tcss",
    ".yaml",
    ".yml",
    ".txt",
    ".timer",
}


@dataclass(frozen=True)
class Module:
    """One Python file: its path, dotted name (empty outside the packages), text and syntax tree."""

    path: Path
    name: str
    text: str
    syntax: ast.Module

    @property
    def lines(self) -> int:
        """Number of lines, comments and blank ones too."""
        return len(self.text.splitlines())


def module(path: Path, name: str = "") -> Module:
    """Read and parse one file."""
    text = path.read_text()
    return Module(path, name, text, ast.parse(text, str(path)))


def package(folder: Path) -> list[Module]:
    """Every module of the package in this folder, with dotted names below the folder's own name."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = [folder.name, *path.relative_to(folder).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found.append(module(path, ".".join(parts)))
    return found


def files(root: Path = REPOSITORY) -> list[Path]:
    """Every file that belongs to the project, sorted."""
    found = []
    for entry in sorted(root.iterdir()):
        if entry.name in _OUTSIDE or entry.name.endswith("_cache") or entry.name == ".hypothesis":
            continue
        if entry.is_dir() and not entry.is_symlink():
            found += files(entry)
        elif entry.is_file():
            found.append(entry)
    return found


def is_text(path: Path) -> bool:
    """Whether this file is written by people and read as text."""
    return path.suffix in _TEXT or path.name in {"Makefile", ".gitignore", "run"}


def python(root: Path = REPOSITORY) -> list[Module]:
    """Every Python file of the project, tests and benchmarks too."""
    return [module(path) for path in files(root) if path.suffix == ".py"]
