"""From the text of the setting to the target it names."""

from pathlib import Path

from archipel_agent.backup.directory import DirectoryTarget
from archipel_agent.backup.s3 import S3Target, read_store
from archipel_agent.backup.sftp import SftpTarget
from archipel_agent.backup.targets import BackupTarget, Sftp, TargetFiles, parse
from archipel_agent.paths import Paths
from archipel_agent.ports import Disk, Runner


def target(text: str, paths: Paths, disk: Disk, runner: Runner) -> BackupTarget:
    """Return the target that `text` names; raise TargetInvalid, or TargetFailed when what it needs is not there."""
    place = parse(text)
    files = TargetFiles(paths.settings)
    if isinstance(place, Path):
        return DirectoryTarget(place, disk)
    if isinstance(place, Sftp):
        return SftpTarget(place, files, runner)
    return S3Target(place, read_store(files.s3, disk), runner, paths.staging)
