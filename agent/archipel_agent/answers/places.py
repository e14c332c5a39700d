"""Where answer files are looked for, and in which order they count. Pure.

Boot partition, then /etc/archipel, then removable media, then places of the settings. The order only settles beside which of
several equal files the result is written: files that differ are never chosen between.
"""

from pathlib import Path

from archipel_agent.paths import Paths, boot_places
from archipel_agent.ports import Mount
from archipel_agent.settings import Settings
from archipel_contract.answers import FILE

MEDIA = ("media", "run/media")  # where desktops and automounters put what is plugged in (FHS 3.0, udisks)
MEDIA_DEPTH = 2  # /run/media/USER/LABEL
AUTOMOUNT = "autofs"


def candidates(paths: Paths, settings: Settings, mounts: tuple[Mount, ...]) -> tuple[Path, ...]:
    """Return where an answer file counts now, the first place first. Nothing that only waits to be mounted is touched."""
    if settings.answers == "off":
        return ()
    top = {one.point: one for one in mounts}
    asleep = {point for point, one in top.items() if one.filesystem == AUTOMOUNT}
    places = [*boot_places(paths), paths.settings]
    if settings.answers == "on":
        places += sorted(point for point, one in top.items() if one.is_removable or _is_medium(paths, point))
    places += [Path(one) for word in settings.answers_places.split(",") if (one := word.strip())]
    return tuple(dict.fromkeys(place / FILE for place in places if place not in asleep))


def _is_medium(paths: Paths, point: Path) -> bool:
    return any(
        point.is_relative_to(paths.at(name))
        and 0 < len(point.relative_to(paths.at(name)).parts) <= MEDIA_DEPTH
        for name in MEDIA
    )
