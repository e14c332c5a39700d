"""Wheels of a tiny program called archipel, so that the installer's own work can be tested in seconds.

They have what the installer counts on: the command, the extras, and the data files of the real units.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"


def write(
    directory: Path, version: str, says: str = "", needs: str = "", without: tuple[str, ...] = ()
) -> Path:
    """Write `archipel-VERSION-py3-none-any.whl` into `directory`; `needs` is a package it cannot be without, `without`
    are data files that it lacks.
    """
    directory.mkdir(exist_ok=True)
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    info = f"archipel-{version}.dist-info"
    program = f"def main():\n    print('archipel {version} {says}')\n"
    files = {
        "archipel_contract/__init__.py": "",
        "archipel_contract/launcher.py": program,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: archipel\nVersion: {version}\n"
        f"Provides-Extra: agent\nProvides-Extra: tui\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\narchipel = archipel_contract.launcher:main\n",
    }
    files |= {
        f"archipel_agent/systemd/{path.name}": path.read_text()
        for path in SYSTEMD.iterdir()
        if path.name not in without
    }
    record = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in files.items()]
    wheel = directory / f"archipel-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
        packed.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
