"""What an emulated machine needs of this one, and in plain words which package brings what is missing.

Skip reasons of the tests; each function returns None where all is there and changes nothing. The packages are not among
those of `tools/setup.sh`: no test of every day needs them.
"""

import os
import shutil

from tests.emulated import image, stick
from tests.hosts import requirements

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
    **stick.PROGRAMS,
}


def missing() -> str | None:
    """Why no machine can be emulated here, or no k3s be brought to it."""
    if os.geteuid() != 0:
        return "not root: the machine's disk is made with mounts"
    wanted = dict(PROGRAMS)
    if not image.system().exists():
        wanted["mmdebstrap"] = "mmdebstrap"
    absent = {package for program, package in wanted.items() if not shutil.which(program)}
    if absent:
        return f"an emulated machine needs: apt-get install {' '.join(sorted(absent))}"
    k3s = requirements.k3s_binary()
    if k3s is not None and os.uname().machine != "x86_64":
        return "the k3s here is not for x86_64, which the emulated machine is"
    return requirements.missing_for_k3s()
