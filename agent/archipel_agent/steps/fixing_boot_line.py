"""Ask the kernel for memory control groups, in the one line a Raspberry Pi starts it with; and take that back.

The file as it was is kept beside it before it is changed, so that a card taken out can be put right on any computer. The
boot partition is FAT: the new file is written whole, made durable, and takes the old one's name.
"""

import errno
from pathlib import Path

from archipel_agent.host import boot_line
from archipel_agent.host.boot_line import BootLine
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_contract.catalogue import finding

READ_ONLY = "Read-only file system"  # errno EROFS in words, as a transient unit passes it on
MODE = 0o755  # FAT knows no modes: Linux shows its files as 0755 and refuses to set another


def _read(context: Context) -> BootLine:
    """Return the file; raise StepFailed, with nothing changed, for one that is not there or not one line."""
    try:
        line = boot_line.read(context.ports.disk, context.paths)
    except OSError as error:
        raise StepFailed(finding("boot-line-missing", problem=str(error)), refused=True) from error
    if line is None:
        raise StepFailed(finding("boot-line-missing", problem="no cmdline.txt"), refused=True)
    if not line.is_one_line:
        count = str(len(line.lines))
        raise StepFailed(finding("boot-line-several", path=str(line.path), lines=count), refused=True)
    return line


def check(context: Context) -> str | None:
    """Nothing to do when the line asks for it already: then a restart is all that is missing."""
    line = _read(context)
    return (
        None
        if line.lacking()
        else f"{line.path} asks for it already; restart the machine: sudo systemctl reboot"
    )


def foresee(context: Context) -> str:
    """Say which words would be added to which file, or why that would be refused."""
    try:
        line = _read(context)
    except StepFailed as refusal:
        return refusal.finding.summary
    return f"{' '.join(line.lacking())} to {line.path}"


def run(context: Context) -> str:
    """Keep the file as it is beside it, then replace it by the same line with the words at its end."""
    line = _read(context)
    missing = " ".join(line.lacking())
    if missing:
        mode = context.ports.disk.mode(line.path)
        _write(context, line.backup, line.data, mode)
        _write(context, line.path, line.extended(), mode)
    return f"{missing or 'nothing'} added to {line.path}; restart the machine: sudo systemctl reboot"


def verify(context: Context) -> None:
    """Read it back."""
    line = _read(context)
    if line.lacking():
        raise StepFailed(finding("boot-line-missing", problem=f"{line.path} does not hold what was written"))


def undo(context: Context) -> None:
    """Put the file back as it was, if nobody changed it since."""
    line = _read(context)
    if _is_ours(context, line):
        _put_back(context, line)


def is_back(context: Context) -> str | None:
    """Nothing to take back when neither the words nor the file kept beside are there: a cut-off way back is complete."""
    line = _read(context)
    is_clean = line.lacking() == boot_line.MEMORY_WORDS and not context.ports.disk.exists(line.backup)
    return f"{line.path} does not ask for it" if is_clean else None


def take_back(context: Context) -> str:
    """Put the file back as it was; raise StepFailed if somebody changed it since, or nothing was changed by us."""
    line = _read(context)
    if not context.ports.disk.exists(line.backup):
        raise StepFailed(finding("boot-line-untouched", path=str(line.path)), refused=True)
    if not _is_ours(context, line):
        raise StepFailed(
            finding("boot-line-changed", path=str(line.path), backup=str(line.backup)), refused=True
        )
    _put_back(context, line)
    return f"{line.path} is as it was; restart the machine: sudo systemctl reboot"


def _is_ours(context: Context, line: BootLine) -> bool:
    """Whether the file is what we made of the one kept beside it, or is that one already."""
    disk = context.ports.disk
    if not disk.exists(line.backup):
        return False
    before = BootLine(line.path, disk.read(line.backup))
    return before.is_one_line and line.data in (before.data, before.extended())


def _put_back(context: Context, line: BootLine) -> None:
    disk = context.ports.disk
    before = disk.read(line.backup)
    if line.data != before:
        _write(context, line.path, before, disk.mode(line.path))
    disk.remove(line.backup)


def _write(context: Context, path: Path, data: bytes, mode: int | None) -> None:
    try:
        context.ports.disk.write(path, data, MODE if mode is None else mode)
    except (OSError, CommandFailed) as error:
        if READ_ONLY in str(error) or (isinstance(error, OSError) and error.errno == errno.EROFS):
            place = finding("boot-partition-read-only", path=str(path.parent))
            raise StepFailed(place) from error
        raise


STEP = Step(
    slug="boot-line",
    title="Ask the kernel for memory control",
    check=check,
    foresee=foresee,
    run=run,
    verify=verify,
    undo=undo,
)
TAKE_BACK = Step(slug="boot-line-back", title="Put the boot line back", check=is_back, run=take_back)
