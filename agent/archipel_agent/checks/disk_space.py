"""Whether k3s' data and our own state have room.

Before a start: k3s unpacks itself (about 250 MB) and its images want 1 GB more, so 1.5 GB is the least; the
margin above it is for the site's own images. Running: the kubelet evicts pods below 5 % free (k3s' default
evictionHard) and starts to delete images at 85 % used.
"""

from archipel_agent.checks.amounts import GB, MB, percent, size
from archipel_agent.checks.base import BOTH, Evidence, Phase, found, passed, slug_of, undecided
from archipel_contract.catalogue import finding
from archipel_contract.facts import DiskSpace
from archipel_contract.findings import CheckResult, Finding

SLUG = slug_of(__name__)
PHASES = BOTH

START_LEAST = 1500 * MB
START_ADVISED = 4 * GB
RUNNING_LEAST_SHARE = 0.05
ADVISED_SHARE = 0.10
STATE_LEAST = 20 * MB


def look(evidence: Evidence) -> CheckResult:
    """Judge the file systems of k3s' data and of our state."""
    data = evidence.disks.get("data")
    if data is None or data.size_bytes <= 0:
        return undecided(SLUG, "the space of k3s' data directory could not be read")
    findings = [
        one for one in (_data(data, evidence.phase), _state(evidence.disks.get("state"), data)) if one
    ]
    said = f"{size(data.free_bytes)} free of {size(data.size_bytes)} at {data.path}"
    return found(SLUG, said, *findings) if findings else passed(SLUG, said)


def _data(disk: DiskSpace, phase: Phase) -> Finding | None:
    share = disk.free_bytes / disk.size_bytes
    if phase is Phase.PREFLIGHT:
        if disk.free_bytes < START_LEAST:
            return _finding("disk-too-small", disk, need=size(START_LEAST))
        low = disk.free_bytes < START_ADVISED or share < ADVISED_SHARE
    else:
        if share < RUNNING_LEAST_SHARE or disk.free_bytes < STATE_LEAST:
            return _finding("disk-full", disk)
        low = share < ADVISED_SHARE
    return _finding("disk-low", disk) if low else None


def _state(state: DiskSpace | None, data: DiskSpace) -> Finding | None:
    if state is None or state.size_bytes <= 0 or state.free_bytes >= STATE_LEAST:
        return None
    if state.device == data.device and state.size_bytes == data.size_bytes:
        return None  # one and the same file system, judged already
    return _finding("disk-full", state)


def _finding(code: str, disk: DiskSpace, **more: str) -> Finding:
    share = percent(disk.free_bytes, disk.size_bytes)
    return finding(code, (), None, path=disk.path, free=size(disk.free_bytes), share=share, **more)
