"""A flush of one file saves it from a power cut, whatever else is still to be written; of a directory, all on its disk."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.host.flushing import SIZE
from tests.hosts import disk, requirements

pytestmark = [pytest.mark.real_process, pytest.mark.own_network]
IMAGE_BYTES = 256 << 20


def test_what_others_wrote_outlives_a_power_cut_once_it_is_flushed(tmp_path: Path) -> None:
    if why_not := requirements.missing_for_plain():
        pytest.skip(why_not)
    image, place = tmp_path / "disk.ext4", tmp_path / "place"
    disk.make(image, IMAGE_BYTES)
    place.mkdir()
    argv = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        sys.executable,
        "-m",
        "tests.agent.host.flushing",
    ]
    done = subprocess.run(
        [*argv, str(image), str(place)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["one"]["tls/flushed.key"] == SIZE
    assert seen["one"]["images/layer"] != SIZE, "the cut took nothing, so that it proves nothing"
    assert seen["one"]["tls/absent.key"] is None
    assert seen["all"] == SIZE
