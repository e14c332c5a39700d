"""Whether a verified bundle is one for this machine, now. Pure."""

import re
from dataclasses import dataclass

from archipel_contract import __version__
from archipel_contract.bundle.format import BundleRefused, Manifest

PROGRAM = "archipel"
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the machine is and has had."""

    architecture: str
    sequence: int = 0  # the highest it ever took; 0: none
    bundle_id: str = ""  # the bundle of that sequence
    version: str = __version__


def judge(manifest: Manifest, standing: Standing, allow_older: bool = False) -> None:
    """Return if the bundle may be used here; raise BundleRefused."""
    if manifest.architecture != standing.architecture:
        raise BundleRefused(
            "bundle-foreign",
            f"it is for {manifest.architecture}, this machine is {standing.architecture}",
            wanted=standing.architecture,
            got=manifest.architecture,
        )
    least = manifest.needs.get(PROGRAM, "")
    if _numbers(least) > _numbers(standing.version):
        raise BundleRefused("bundle-newer", f"it needs Archipel {least}, here is {standing.version}")
    if allow_older:
        return
    if manifest.sequence < standing.sequence:
        detail = f"its sequence is {manifest.sequence}, this machine has had {standing.sequence}"
        raise BundleRefused("bundle-older", detail)
    if manifest.sequence == standing.sequence and standing.bundle_id not in ("", manifest.id):
        detail = f"{standing.bundle_id} had the sequence {manifest.sequence} before it"
        raise BundleRefused("bundle-older", detail)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in NUMBER.findall(version))
