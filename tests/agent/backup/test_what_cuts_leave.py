"""Halves of backups that pulled sticks and lost connections left at a place: they go with the next one, nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_agent.backup.choosing import target as target_at
from archipel_agent.backup.manifest import name_of
from archipel_agent.backup.targets import TargetFailed
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.run import SystemRunner
from archipel_agent.paths import Paths
from archipel_agent.ports import CommandFailed
from tests.agent.backup.places import Place, made, openssh, sftp_place

pytestmark = pytest.mark.real_process


@pytest.fixture(scope="module")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A real OpenSSH server on loopback, its keys beside it."""
    with openssh(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A machine's directories."""
    at = Paths(tmp_path / "root")
    at.settings.mkdir(parents=True)
    return at


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A backup, as far as a place is concerned."""
    path = tmp_path / "sealed"
    path.write_bytes(bytes(300_001))
    return path


STAYS = (
    name_of("s-1", 6),  # not by us: ours are older
    name_of("s-12", 4),
    name_of("s", 4),
    "vacation.tar",
)


@pytest.mark.parametrize("kind", ["directory", "sftp"])
def test_what_cuts_left_of_this_sites_backups_goes_with_the_next_one_and_nothing_else(
    kind: str, tmp_path: Path, paths: Paths, sealed: Path, sftp_server: tuple[int, Path]
) -> None:
    directory = tmp_path / "there"
    directory.mkdir()
    front, end = (".archipel-", "") if kind == "directory" else ("", ".part")
    # The older one, and the same one at an earlier attempt.
    for name in (name_of("s-1", 4), name_of("s-1", 5), *STAYS):
        (directory / f"{front}{name}{end}").write_bytes(b"torn")
    (directory / name_of("s-1", 3)).write_bytes(b"an older one, whole")
    place = (
        made(str(directory), paths, directory)
        if kind == "directory"
        else sftp_place(paths, sftp_server, directory)
    )
    place.target.put(sealed, name_of("s-1", 5))
    assert (directory / name_of("s-1", 5)).read_bytes() == sealed.read_bytes()
    stays = {f"{front}{name}{end}" for name in STAYS} | {name_of("s-1", 3), name_of("s-1", 5)}
    assert {one.name for one in directory.iterdir()} == stays


class Hanging(SystemRunner):
    """A runner whose line goes down in the middle of a transfer: the client hears nothing more, and is given up."""

    def run(self, argv, *, stdin=b"", timeout=0.0, **more):  # type: ignore[no-untyped-def]  # passes on what it is given
        """See ports.Runner."""
        if b"put" in stdin:
            argv, timeout = [argv[0], "-l", "800", *argv[1:]], 1.5  # kbit/s: it would take three seconds
        return super().run(argv, stdin=stdin, timeout=timeout, **more)


class Crowded(SystemRunner):
    """A runner to a server that has no room while half a backup lies there, as far as can be heard from it."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self.tries = 0

    def run(self, argv, *, stdin=b"", **more):  # type: ignore[no-untyped-def]  # passes on what it is given
        """See ports.Runner."""
        self.tries += b"put" in stdin
        if b"put" in stdin and list(self._directory.glob("*.part")):
            raise CommandFailed("sftp ended with 1", 1, stderr='remote write "archipel-s-1.part": Failure')
        return super().run(argv, stdin=stdin, **more)


@pytest.fixture
def half(tmp_path: Path, paths: Paths, sftp_server: tuple[int, Path], sealed: Path) -> Place:
    """A directory at a server with half of a backup, whose line had gone down."""
    directory = tmp_path / "far"
    directory.mkdir()
    place = sftp_place(paths, sftp_server, directory)
    with pytest.raises(TargetFailed) as failed:
        target_at(place.text, paths, SystemDisk(), Hanging()).put(sealed, name_of("s-1", 1))
    assert failed.value.code == "backup-target-away"
    assert [one.name for one in directory.iterdir()] == [f"{name_of('s-1', 1)}.part"]
    return place


def test_half_a_backup_at_a_server_is_gone_once_the_next_one_arrived_even_if_the_server_was_full_of_it(
    half: Place, tmp_path: Path, paths: Paths, sealed: Path
) -> None:
    crowded = target_at(half.text, paths, SystemDisk(), Crowded(tmp_path / "far"))
    crowded.put(sealed, name_of("s-1", 2))
    assert [one.name for one in (tmp_path / "far").iterdir()] == [name_of("s-1", 2)]


def test_a_server_that_is_full_of_other_things_stays_full_and_is_not_sent_it_all_again(
    tmp_path: Path, paths: Paths, sftp_server: tuple[int, Path], sealed: Path
) -> None:
    directory = tmp_path / "far"
    directory.mkdir()
    for name in (name_of("s-2", 1), name_of("s-1", 2)):  # of another site, and of this very backup
        (directory / f"{name}.part").write_bytes(b"torn")
    runner = Crowded(directory)
    target = target_at(sftp_place(paths, sftp_server, directory).text, paths, SystemDisk(), runner)
    with pytest.raises(TargetFailed) as failed:
        target.put(sealed, name_of("s-1", 2))
    assert (failed.value.code, runner.tries) == ("backup-target-full", 1)
    assert [one.name for one in directory.iterdir()] == [f"{name_of('s-2', 1)}.part"]
