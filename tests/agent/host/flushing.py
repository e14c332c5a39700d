"""What a flush saves from a power cut, on a real ext4: `python flushing.py IMAGE PLACE`, in a mount namespace of its own.

Others wrote files and did not fsync them; some are flushed, then the power goes. Prints how long each is afterwards.
"""

import json
import subprocess
import sys
from pathlib import Path

from archipel_agent.host.disk import SystemDisk
from tests.hosts.disk import MOUNT_OPTIONS, cut

SIZE = 5000


def write(path: Path) -> None:
    """As k3s does: create, write, close."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"k" * SIZE)


def main(image: str, place: Path) -> None:
    """Write, flush, cut, look."""
    mount = ["mount", "-o", MOUNT_OPTIONS, image, str(place)]
    subprocess.run(mount, check=True)
    flushed, beside, absent = place / "tls/flushed.key", place / "images/layer", place / "tls/absent.key"
    for path in (flushed, beside):
        write(path)
    disk = SystemDisk()
    disk.flush(flushed)
    disk.flush(absent)
    cut(place)
    subprocess.run(["umount", str(place)], check=True)
    subprocess.run(mount, check=True)
    first = {str(path.relative_to(place)): length(path) for path in (flushed, beside, absent)}
    write(beside)
    disk.flush(place)
    cut(place)
    subprocess.run(["umount", str(place)], check=True)
    subprocess.run(mount, check=True)
    print(json.dumps({"one": first, "all": length(beside)}))
    subprocess.run(["umount", str(place)], check=True)


def length(path: Path) -> int | None:
    """How many bytes there are; None where there is no such file."""
    return path.stat().st_size if path.exists() else None


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
