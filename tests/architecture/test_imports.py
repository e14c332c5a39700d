"""No package has an import cycle, the layers hold, and both checks find what breaks them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import cycles, tree


def write(folder: Path, **sources: str) -> list[tree.Module]:
    """A package of these modules; a name may have folders in it."""
    for name, source in {"__init__": "", **sources}.items():
        path = folder / "pkg" / f"{name}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(source)
    return tree.package(folder / "pkg")


@pytest.mark.parametrize("name", tree.PACKAGES)
def test_no_package_of_the_project_has_an_import_cycle(name: str) -> None:
    assert cycles.cycles(cycles.imports(tree.package(tree.PACKAGES[name]))) == []


@pytest.mark.parametrize(
    "back",
    ["from pkg import a", "import pkg.a", "from pkg.a import x", "from . import a", "from .a import x",
     "def f():\n    import pkg.a",
     "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.a import x"],
)  # fmt: skip
def test_a_cycle_is_found_however_the_import_is_written(back: str, tmp_path: Path) -> None:
    modules = write(tmp_path, a="from pkg.b import y\nx = 1", b=back, c="import pkg.a, pkg.b")
    assert cycles.cycles(cycles.imports(modules)) == [["pkg.a", "pkg.b"]]


def test_a_cycle_over_three_modules_and_a_subpackage_is_found(tmp_path: Path) -> None:
    below = {"sub/__init__": "", "sub/b": "from ..c import z"}
    modules = write(tmp_path, a="import pkg.sub.b", c="from pkg import a", **below)
    assert cycles.cycles(cycles.imports(modules)) == [["pkg.a", "pkg.c", "pkg.sub.b"]]


def test_modules_that_only_share_what_they_import_are_no_cycle(tmp_path: Path) -> None:
    modules = write(tmp_path, a="import pkg.c", b="import pkg.c\nimport pkg.a", c="import json")
    assert cycles.cycles(cycles.imports(modules)) == []


def lint_imports(place: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's own rules on the tree below `place`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    command += ["--config", str(tree.REPOSITORY / "pyproject.toml")]
    folders = ":".join(str(place / name) for name in tree.PACKAGES)
    return subprocess.run(
        command,
        cwd=place,
        env={"PYTHONPATH": folders},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.real_process
@pytest.mark.timeout(90)
def test_the_layers_hold() -> None:
    checked = lint_imports(tree.REPOSITORY)
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


@pytest.mark.real_process
@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("module", "source", "contract"),
    [
        ("agent/archipel_agent/utils.py", "", "Inside the agent BROKEN"),
        ("agent/archipel_agent/paths.py", "import archipel_tui", "not import one another BROKEN"),
        ("contract/archipel_contract/wire.py", "import archipel_agent", "none of the programs BROKEN"),
        ("agent/archipel_agent/ports/commands.py", "import subprocess", "started by one module BROKEN"),
        ("contract/archipel_contract/api.py", "import pydantic", "where schemas are made BROKEN"),
        ("tui/archipel_tui/reader.py", "import sqlite3", "its own module BROKEN"),
    ],
)
def test_what_breaks_a_rule_is_found(module: str, source: str, contract: str, tmp_path: Path) -> None:
    for name, folder in tree.PACKAGES.items():
        (tmp_path / name).mkdir()
        shutil.copytree(folder, tmp_path / name / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / module).write_text(source + "\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1
    assert contract in " ".join(checked.stdout.split())
