"""Who makes bundles: a signed one from the real k3s and its images, made here by the commands of the technician's page."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts import requirements

FILE = "edge.archipel-bundle"
PUBLIC = "maker.pub"


def archipel(*words: str) -> str:
    """Run the command here, as who makes bundles does."""
    command = [str(Path(sys.executable).with_name("archipel")), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make_bundle(place: Path, images: tuple[str, ...]) -> Path:
    """Make a key and a bundle with k3s and the archives whose names begin like this; the test is skipped without a k3s."""
    k3s, archives = requirements.k3s_binary(), requirements.k3s_images()
    if k3s is None or archives is None:
        pytest.skip(requirements.missing_for_k3s() or "no k3s here")
    archipel("bundle", "key", "new", str(place / "maker"))
    wanted = [path for path in sorted(archives.iterdir()) if path.name.startswith(images)]
    given = [word for path in wanted for word in ("--k3s-images", str(path))]
    archipel(
        "bundle", "build", "--k3s", str(k3s), *given, "--key", str(place / "maker"), "-o", str(place / FILE)
    )
    return place / FILE
