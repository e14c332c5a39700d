"""One suite for every place backups go to: a directory, a real SFTP server, a real server that speaks S3."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.backup import fetching, targets
from archipel_agent.backup.choosing import target as target_at
from archipel_agent.backup.targets import Bucket, Sftp, Stored, TargetFailed, TargetInvalid
from archipel_agent.core import Core
from archipel_agent.host import tree
from archipel_agent.host.disk import SystemDisk
from archipel_agent.host.run import SystemRunner
from archipel_agent.paths import Paths
from archipel_agent.ports import Runner
from archipel_contract.jobs import JobRequest, JobState, Verb
from tests.agent.backup.machine import KEY, Machine, Value, site
from tests.agent.backup.places import Place, made, openssh, port, sftp_place

pytestmark = pytest.mark.real_process
KINDS = ("directory", "sftp", "s3")
NAME = "archipel-s-1-000001.tar.gz.age"


@pytest.fixture(scope="module")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A real OpenSSH server on loopback, its keys beside it."""
    with openssh(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def s3_server() -> Iterator[int]:
    """moto: a fake of the S3 store that speaks its protocol over HTTP."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    number = server.socket.getsockname()[1]
    try:
        yield int(number)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module", autouse=True)
def servers(sftp_server: tuple[int, Path], s3_server: int) -> None:
    """Both run through all of these tests."""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "root")
    made.settings.mkdir(parents=True)
    made.staging.mkdir(parents=True)
    return made


def s3_place(paths: Paths, number: int, bucket: str) -> Place:
    """A bucket of that server."""
    store = targets.TargetFiles(paths.settings).s3
    store.write_text(
        f'endpoint = "http://127.0.0.1:{number}"\nregion = "us-east-1"\naccess_key = "AK"\nsecret_key = "se\\"cret"\n'
    )
    argv = ["curl", "-sf", "-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "AK:x"]
    subprocess.run([*argv, f"http://127.0.0.1:{number}/{bucket}"], check=True, capture_output=True)
    return made(f"s3://{bucket}/sites/north", paths, None)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, paths: Paths) -> Place:
    directory = tmp_path / "there it is"
    directory.mkdir()
    if request.param == "directory":
        return made(str(directory), paths, directory)
    if request.param == "sftp":
        return sftp_place(paths, request.getfixturevalue("sftp_server"), directory)
    bucket = f"b{abs(hash(str(tmp_path))) % 10**9}"
    return s3_place(paths, request.getfixturevalue("s3_server"), bucket)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "sealed"
    path.write_bytes(os.urandom(300_001))
    return path


def test_what_was_put_is_listed_with_its_size_and_comes_back_byte_for_byte(
    place: Place, sealed: Path, tmp_path: Path
) -> None:
    assert place.target.stored() == ()
    place.target.put(sealed, NAME)
    assert place.target.stored() == (Stored(name=NAME, size=300_001),)
    back = tmp_path / "back"
    place.target.get(NAME, back)
    assert back.read_bytes() == sealed.read_bytes()
    assert back.stat().st_mode & 0o777 == 0o600


def test_a_part_is_fetched_by_itself_and_a_whole_file_part_by_part(place: Place, tmp_path: Path) -> None:
    content = os.urandom(1_500_000)
    (tmp_path / "large").write_bytes(content)
    place.target.put(tmp_path / "large", NAME)
    part = tmp_path / "parts" / "part"
    at = place.target.part(NAME, 262_144, 500_000, part)
    assert part.read_bytes()[at:] == content[262_144:762_144]
    assert part.stat().st_mode & 0o777 == 0o600
    told: list[tuple[int, int]] = []
    (stored,) = place.target.stored()
    with fetching.opened(place.target, stored, part, lambda done, size: told.append((done, size))) as sealed:
        assert sealed.read() == content
    assert told == [(262_144, 1_500_000), (1_500_000, 1_500_000)]
    assert not part.exists()


def test_who_wants_the_beginning_fetches_only_that_and_leaves_nothing_behind(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(bytes(8 << 20))
    place.target.put(tmp_path / "large", NAME)
    told: list[int] = []
    (stored,) = place.target.stored()
    part = tmp_path / "part"
    with fetching.opened(place.target, stored, part, lambda done, size: told.append(done)) as sealed:
        assert sealed.read(100_000) == bytes(100_000)
        assert part.stat().st_size <= 256 << 10
    assert told == [256 << 10]
    assert not part.exists()


def test_one_that_goes_away_or_shrinks_meanwhile_ends_in_words(place: Place, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1 << 20))
    place.target.put(tmp_path / "large", NAME)
    (stored,) = place.target.stored()
    with fetching.opened(place.target, stored, tmp_path / "part", lambda done, size: None) as sealed:
        sealed.read(1000)
        (tmp_path / "large").write_bytes(b"short")
        place.target.put(tmp_path / "large", NAME)
        with pytest.raises(TargetFailed) as failed:
            sealed.read()
    assert failed.value.code == "backup-target-away"


def test_what_a_server_sent_out_of_order_counts_up_to_its_hole(tmp_path: Path) -> None:
    path = tmp_path / "part"
    tree.hollow(path, 1 << 20)
    with path.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"x" * 65536)
        file.seek((1 << 20) + 131_072)
        file.write(b"y" * 65536)
    assert tree.filled(path, 1 << 20) == (1 << 20) + 65536
    assert tree.filled(path, path.stat().st_size) == path.stat().st_size


def test_putting_again_replaces_and_deleting_twice_is_the_same_as_once(place: Place, sealed: Path) -> None:
    place.target.put(sealed, NAME)
    sealed.write_bytes(b"newer")
    place.target.put(sealed, NAME)
    assert place.target.stored() == (Stored(name=NAME, size=5),)
    place.target.delete(NAME)
    place.target.delete(NAME)
    assert place.target.stored() == ()


def test_what_is_not_there_cannot_be_fetched(place: Place, tmp_path: Path) -> None:
    with pytest.raises(TargetFailed) as failed:
        place.target.get(NAME, tmp_path / "back")
    assert failed.value.code == "backup-target-away"


@pytest.mark.parametrize("half", [".archipel-" + NAME, NAME + ".part"])
def test_half_written_files_are_not_listed(
    tmp_path: Path, paths: Paths, sftp_server: tuple[int, Path], half: str
) -> None:
    directory = tmp_path / "half"
    directory.mkdir()
    (directory / half).write_bytes(b"torn")
    place = (
        made(str(directory), paths, directory)
        if half.startswith(".")
        else sftp_place(paths, sftp_server, directory)
    )
    assert place.target.stored() == ()


def test_a_directory_that_is_not_there_is_never_made(tmp_path: Path, paths: Paths, sealed: Path) -> None:
    place = made(str(tmp_path / "stick"), paths, None)
    with pytest.raises(TargetFailed) as failed:
        place.target.put(sealed, NAME)
    assert failed.value.code == "backup-target-away"
    assert not (tmp_path / "stick").exists()


class FullDisk(SystemDisk):
    """A disk whose copies fail as the system says it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """See ports.Disk."""
        raise OSError(self.number, os.strerror(self.number), str(target))


@pytest.mark.parametrize(
    ("number", "code"), [(28, "backup-target-full"), (5, "backup-target-away"), (30, "backup-target-away")]
)
def test_a_full_or_failing_stick_is_told_apart(
    tmp_path: Path, paths: Paths, sealed: Path, number: int, code: str
) -> None:
    target = target_at(str(tmp_path), paths, FullDisk(number), SystemRunner())
    with pytest.raises(TargetFailed) as failed:
        target.put(sealed, NAME)
    assert failed.value.code == code


def test_a_server_with_another_host_key_is_not_spoken_to(
    tmp_path: Path, paths: Paths, sftp_server: tuple[int, Path]
) -> None:
    place = sftp_place(paths, sftp_server, tmp_path)
    number, home = sftp_server
    key = (home / "other.pub").read_text().split()
    targets.TargetFiles(paths.settings).known_hosts.write_text(f"[127.0.0.1]:{number} {key[0]} {key[1]}\n")
    with pytest.raises(TargetFailed) as failed:
        place.target.stored()
    assert failed.value.code == "backup-target-refused"
    assert "key verification failed" in str(failed.value).lower()


def test_a_login_that_does_not_hold_is_refused_in_words(
    tmp_path: Path, paths: Paths, sftp_server: tuple[int, Path]
) -> None:
    place = sftp_place(paths, sftp_server, tmp_path)
    key = targets.TargetFiles(paths.settings).ssh_key
    shutil.copy(sftp_server[1] / "other", key)
    with pytest.raises(TargetFailed) as failed:
        place.target.stored()
    assert failed.value.code == "backup-target-refused"


def test_a_server_that_is_away_is_away(tmp_path: Path, paths: Paths, sftp_server: tuple[int, Path]) -> None:
    sftp_place(paths, sftp_server, tmp_path)
    for text in (f"sftp://root@127.0.0.1:{port()}/x",):
        with pytest.raises(TargetFailed) as failed:
            made(text, paths, None).target.stored()
        assert failed.value.code == "backup-target-away"


def test_a_bucket_that_is_not_there_is_away_and_no_key_is_in_the_message(
    paths: Paths, s3_server: int
) -> None:
    s3_place(paths, s3_server, "real-bucket")
    with pytest.raises(TargetFailed) as failed:
        made("s3://no-such-bucket/x", paths, None).target.stored()
    assert failed.value.code == "backup-target-away"
    assert "NoSuchBucket" in str(failed.value)


class Overhearing(SystemRunner):
    """A runner that keeps the words of every command."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def run(self, argv, **more):  # type: ignore[no-untyped-def]  # passes on what it is given
        """See ports.Runner."""
        self.words += [str(word) for word in argv]
        return super().run(argv, **more)


def test_the_keys_of_a_store_are_no_words_of_a_command(paths: Paths, s3_server: int, sealed: Path) -> None:
    s3_place(paths, s3_server, "secret-bucket")
    runner = Overhearing()
    target = target_at("s3://secret-bucket/x", paths, SystemDisk(), runner)
    target.put(sealed, NAME)
    assert "curl" in runner.words
    assert not [word for word in runner.words if "se" + '"cret' in word or "AK" in word]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/media/usb", Path("/media/usb")),
        ("sftp://me@nas/a/b", Sftp(user="me", host="nas", port=22, path="/a/b")),
        ("sftp://me@nas:2022/a", Sftp(user="me", host="nas", port=2022, path="/a")),
        ("s3://bucket-1", Bucket(name="bucket-1", prefix="")),
        ("s3://bucket-1/a/b/", Bucket(name="bucket-1", prefix="a/b/")),
    ],
)
def test_each_kind_of_place_is_read(text: str, wanted: object) -> None:
    assert targets.parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["usb", "ftp://a@b/c", "sftp://nas/a", "sftp://-oProxyCommand=x@nas/a", "sftp://a@-x/b", "sftp://a@b", "s3://B/x",
     "s3://bucket/a b", "sftp://a@b:99999/c"],
)  # fmt: skip
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(TargetInvalid):
        targets.parse(text)


class Far:
    """The runner of a simulated machine whose transfers are real; keeps the words of each, and what was typed into it."""

    def __init__(self, simulated: Runner) -> None:
        self._simulated, self._real = simulated, SystemRunner()
        self.said: list[str] = []

    def find(self, command: str) -> Path | None:
        """See ports.Runner."""
        return self._simulated.find(command)

    def run(self, argv, *, stdin=b"", **more):  # type: ignore[no-untyped-def]  # passes on what it is given
        """See ports.Runner."""
        if argv[0] not in ("curl", "sftp", "prlimit"):
            return self._simulated.run(argv, stdin=stdin, **more)
        self.said.append(f"{' '.join(argv)} {stdin.decode()}")
        return self._real.run(argv, stdin=stdin, **more)


@pytest.fixture(scope="module")
def large_backup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A sealed backup of a site with a volume of a few megabytes, and the file with the key."""
    home = tmp_path_factory.mktemp("old")
    machine = site(home / "root")
    volume = next((home / "root/var/lib/rancher/k3s/storage").iterdir())
    (volume / "measured").write_bytes(os.urandom(3 << 20))
    (home / "stick").mkdir()
    (home / "key").write_text(KEY.secret)
    assert machine.do(Verb.BACKUP, to=str(home / "stick")).state is JobState.SUCCEEDED
    machine.close()
    (file,) = (home / "stick").iterdir()
    yield file, home / "key"


@pytest.mark.parametrize("kind", ["sftp", "s3"])
def test_a_plan_of_a_restore_from_far_fetches_the_beginning_and_a_restore_all_of_it(
    kind: str, tmp_path: Path, large_backup: tuple[Path, Path], request: pytest.FixtureRequest
) -> None:
    file, key = large_backup
    new = Machine(tmp_path / "new")
    new.paths.staging.mkdir(parents=True, exist_ok=True)
    new.paths.settings.mkdir(parents=True, exist_ok=True)
    far = Far(new.ports.runner)
    new.ports = replace(new.ports, runner=far)
    server = request.getfixturevalue(f"{kind}_server")
    (tmp_path / "far").mkdir()
    place = (
        sftp_place(new.paths, server, tmp_path / "far")
        if kind == "sftp"
        else s3_place(new.paths, server, "far-bucket")
    )
    place.target.put(file, file.name)
    core = Core(new.ports, new.paths, new.settings, "n-1", new.store)
    wish: dict[str, Value] = {"source": place.text, "key_file": str(key)}
    plan = core.plan(JobRequest(verb=Verb.RESTORE, options=wish))
    assert plan.findings == () and plan.backup is not None and plan.backup.site_name == "Halle 3"
    assert [one for one in far.said if "262144" in one or "0-262143" in one] == far.said[1:]  # after the list
    far.said.clear()
    done = new.do(Verb.RESTORE, source=place.text, key_file=str(key))
    assert done.state is JobState.SUCCEEDED, done.sentence
    (measured,) = new.paths.k3s_data.rglob("measured")
    assert measured.stat().st_size == 3 << 20
    assert len(far.said) >= 4  # the list, and three parts
    assert not (new.paths.runtime / "backup-part").exists()
    new.close()
