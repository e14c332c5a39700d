"""The product's wheel and the wheels it needs at run time, for the guest's Python, cached.

Used by `offers.py`. Building and downloading happen on this machine; the host has no way out.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.hosts import shell
from tests.hosts.places import CHECKOUT, Lock, cache

PYTHON = "3.11"
EXTRAS = ("agent", "tui")
_SOURCES = ("contract", "agent", "fleet", "tui", "systemd")


def collect() -> Path:
    """A directory with everything `pip install --no-index` needs; made anew when sources changed."""
    place = cache() / "wheels"
    place.mkdir(exist_ok=True)
    lock = Lock(place / "lock")
    lock.take(wait=True)
    try:
        needed = _once(
            place / f"needed-{_hash([CHECKOUT / 'pyproject.toml', CHECKOUT / 'uv.lock'])}", _download
        )
        product = _once(place / f"product-{_hash(_product_files())}", _build)
        _forget(place, "product-*", product)
        both = place / f"all-{product.name}-{needed.name}"
        return _once(both, lambda into: _join(into, [needed, product]))
    finally:
        lock.close()


def _once(target: Path, make: Callable[[Path], None]) -> Path:
    if not target.is_dir():
        half = target.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        make(half)
        half.rename(target)
    return target


def _forget(place: Path, pattern: str, wanted: Path) -> None:
    """Remove what older sources left, but for the last few, which another run may be reading."""
    old = sorted(
        (path for path in place.glob(pattern) if path != wanted), key=lambda path: path.stat().st_mtime
    )
    for path in old[:-3]:
        for joined in [path, *place.glob(f"all-{path.name}-*")]:
            shutil.rmtree(joined)


def _product_files() -> list[Path]:
    found = [CHECKOUT / "pyproject.toml"]
    for name in _SOURCES:
        found += [path for path in (CHECKOUT / name).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return sorted(found)


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256(repr((PYTHON, EXTRAS, platform.machine())).encode())
    for path in files:
        if path.exists():
            digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _build(into: Path) -> None:
    if uv := shutil.which("uv"):
        argv = [uv, "build", "--quiet", "--wheel", "--out-dir", str(into), str(CHECKOUT)]
    else:
        argv = [*_pip(), "wheel", "--quiet", "--no-deps", "--wheel-dir", str(into), str(CHECKOUT)]
    shell.run(argv, timeout=300, env=_environment()).ok()


def _download(into: Path) -> None:
    wanted = into / "requirements.txt"
    wanted.write_text("\n".join(_requirements()) + "\n")
    machine = platform.machine()
    names = [f"manylinux{version}_{machine}" for version in ("2014", "_2_17", "_2_28")]
    platforms = [word for name in names for word in ("--platform", name)]
    python = ["--implementation", "cp", "--python-version", PYTHON, *platforms]
    argv = [*_pip(), "download", "--quiet", "--only-binary=:all:", *python, "--dest", str(into)]
    shell.run([*argv, "--requirement", str(wanted)], timeout=600, env=_environment()).ok()


def _requirements() -> list[str]:
    """The locked versions where uv is there to read the lock file, else what the project asks for."""
    if uv := shutil.which("uv"):
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        words = ["--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate"]
        return shell.run([uv, "export", "--quiet", *words, *extras], cwd=CHECKOUT).ok().stdout.splitlines()
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = list(project["dependencies"])
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    return wanted


def _join(into: Path, parts: list[Path]) -> None:
    for part in parts:
        for wheel in part.glob("*.whl"):
            shutil.copyfile(wheel, into / wheel.name)


def _environment() -> dict[str, str]:
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _pip() -> list[str]:
    """A pip of this machine: environments made by uv have none of their own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for place in (
        Path(sys.base_prefix) / "bin" / "python3",
        Path(shutil.which("python3") or "/usr/bin/python3"),
    ):
        if place.exists() and shell.run([str(place), "-m", "pip", "--version"], timeout=30).rc == 0:
            return [str(place), "-m", "pip"]
    raise FileNotFoundError("no pip on this machine to collect wheels with")
