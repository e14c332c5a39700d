"""The kernel's command line as a Raspberry Pi keeps it: one line of text on the boot partition. Which file it is, what it
says, and the same line with words appended.

Called by whoever gathers evidence, by the check of control groups and by the repair. Reads through the Disk port and
writes nothing.

Which file the firmware reads: `cmdline.txt` on the boot partition, or as `cmdline=` and `os_prefix=` in config.txt say
(raspberrypi.com, documentation of config.txt). The partition is mounted on /boot/firmware since Debian 12 and on Ubuntu, on
/boot before; where it moved, a note was left in /boot/cmdline.txt that says so.
"""

from dataclasses import dataclass
from pathlib import Path

from archipel_agent.paths import Paths
from archipel_agent.ports import Disk

# What Raspberry Pi's documentation and k3s' ask for; the first is the older spelling, which kernels since 4.9 know too.
MEMORY_WORDS = ("cgroup_memory=1", "cgroup_enable=memory")
PLACES = ("boot/firmware", "boot")
MOVED = "has moved to"
BACKUP_SUFFIX = ".archipel-before"
LONGEST = 64 << 10  # a file beyond that is no command line


@dataclass(frozen=True, slots=True)
class BootLine:
    """The file and what it holds. The firmware reads its first line only."""

    path: Path
    data: bytes

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The lines that say something."""
        return tuple(line for line in self.data.splitlines() if line.strip())

    @property
    def is_one_line(self) -> bool:
        """Whether it is what it should be, so that the place for a word is certain."""
        return len(self.lines) == 1 and self.data.startswith(self.lines[0]) and b"\0" not in self.data

    @property
    def backup(self) -> Path:
        """Where the file goes as it was before a word was added."""
        return self.path.with_name(self.path.name + BACKUP_SUFFIX)

    def lacking(self, words: tuple[str, ...] = MEMORY_WORDS) -> tuple[str, ...]:
        """Return the words that the first line does not hold."""
        first = self.lines[0].split() if self.lines else []
        return tuple(word for word in words if word.encode() not in first)

    def extended(self, words: tuple[str, ...] = MEMORY_WORDS) -> bytes:
        """Return the content with the words that are missing at the end of its one line; line end as it was."""
        missing = self.lacking(words)
        if not missing:
            return self.data
        line = self.lines[0]
        end = self.data[len(line) :]
        return b" ".join([line.rstrip(), *(word.encode() for word in missing)]) + end


def read(disk: Disk, paths: Paths) -> BootLine | None:
    """Return the file the firmware reads; None where there is none. Raises OSError for one that cannot be read."""
    for place in PLACES:
        directory = paths.at(place)
        for name in _names(disk, directory):
            path = directory / name
            if not disk.exists(path):
                continue
            data = disk.read(path)
            if MOVED not in data.decode(errors="replace") and len(data) <= LONGEST:
                return BootLine(path, data)
    return None


def _names(disk: Disk, directory: Path) -> tuple[str, ...]:
    """Return the names to try in `directory`, the most particular first."""
    try:
        settings = config_of(disk.read(directory / "config.txt").decode(errors="replace"))
    except OSError:
        settings = {}
    name = settings.get("cmdline", "cmdline.txt")
    prefixed = settings.get("os_prefix", "") + name
    return tuple(
        one for one in dict.fromkeys((prefixed, name)) if ".." not in one and not one.startswith("/")
    )


def config_of(text: str) -> dict[str, str]:
    """Return the settings of a config.txt that hold for every board: those before any filter, or below [all]."""
    found, is_for_all = {}, True
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("["):
            is_for_all = line == "[all]"
        elif is_for_all and "=" in line:
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found
