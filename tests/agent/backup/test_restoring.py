"""A site is backed up and lives on elsewhere: the same site, whatever is cut off in between, and nothing half-way."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_agent.backup import record
from archipel_agent.core import Core
from archipel_agent.rehearsal.binary import stand_in
from archipel_agent.settings import Settings
from archipel_contract.bundle.format import Kind
from archipel_contract.jobs import Job, JobRequest, JobState, Plan, Verb
from archipel_contract.trust.sealing import new_recovery_key
from tests.agent.backup.machine import KEY, Machine, site
from tests.agent.bundles.machine import ARCHITECTURE, GOOD, IMAGE
from tests.fakes.bundles import MAKERS_KEY
from tests.fakes.power import PowerCut

CURRENT = stand_in(ARCHITECTURE, "v1.36.3+k3s1")
OF_A_SITE = (
    "var/lib/rancher/k3s/storage",
    "var/lib/rancher/k3s/server/tls/server-ca.crt",
    "etc/rancher/node",
)


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Path, Path]]:
    """A site, the stick its backup is on, and the file with the key."""
    home = tmp_path_factory.mktemp("old")
    machine = site(home / "root")
    stick, key = home / "stick", home / "key"
    stick.mkdir()
    key.write_text(KEY.secret)
    done = machine.do(Verb.BACKUP, to=str(stick))
    assert done.state is JobState.SUCCEEDED, done.sentence
    yield machine, stick, key
    machine.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "new")
    yield machine
    machine.close()


def whole(machine: Machine) -> dict[str, object]:
    """What may not differ after something was refused: every file, and what is kept, but for jobs and secrets' order."""
    kept = {
        name: machine.store.value(name) for name in ("token", "site_current", "site_desired", "restore_read")
    }
    places = ("etc", "var/lib/rancher", "usr")
    return {
        "files": machine.files(*places),
        "kept": kept,
        "left": sorted(machine.ports.disk.names(machine.paths.state)),
    }


def code(job: Job) -> str:
    assert job.state is JobState.FAILED and job.finding is not None, job.sentence
    return job.finding.code


def restore(machine: Machine, source: Path, key: Path, aside: bool = False) -> Job:
    return machine.do(Verb.RESTORE, source=str(source), key_file=str(key), aside=aside)


def is_that_site(new: Machine, old: Machine) -> None:
    here, there = new.store.site(), old.store.site()
    assert here is not None and there is not None
    assert (here.site_id, here.name, here.nodes[0].node_name) == (there.site_id, "Halle 3", "press-7")
    assert here.nodes[0].node_id == new.store.value("node_id") != there.nodes[0].node_id
    assert new.store.value("token") == old.store.value("token")
    assert new.store.value("agent_token") == old.store.value("agent_token") is not None
    joining = new.paths.k3s_settings / "agent-token"
    assert joining.read_text().strip() == new.store.value("agent_token")
    volumes = new.files("var/lib/rancher/k3s/storage")
    assert volumes == {"var/lib/rancher/k3s/storage/pvc-1/count": (0o640, b"42\n")}
    authority = new.paths.k3s_data / "server/tls/server-ca.crt"
    assert authority.read_bytes() == b"the authority"
    assert new.paths.at("etc/rancher/node/password").read_bytes() == b"0123\n"
    assert (new.paths.k3s_settings / "registries.yaml").read_bytes() == b"mirrors: {}\n"
    assert not (new.paths.settings / "enrol.token").exists()
    assert not new.paths.k3s_data.with_name("k3s.restoring").exists()
    assert {new.store.value(name) for name in ("restore_read", "restore_aside", "restore_placed")} == {None}
    assert new.store.value("site_desired") == new.store.value("site_current")


def test_a_bare_machine_becomes_that_site_and_keeps_its_own_node_id(
    backed_up: tuple[Machine, Path, Path], fresh: Machine
) -> None:
    old, stick, key = backed_up
    done = restore(fresh, stick, key)
    assert done.state is JobState.SUCCEEDED, done.sentence
    assert "must not be started again" in done.sentence
    is_that_site(fresh, old)
    assert record.sequence(fresh.store) == record.sequence(old.store)
    assert fresh.world.life.run is not None


def test_k3s_and_images_of_the_new_machine_come_from_a_bundle_where_one_is_given(
    backed_up: tuple[Machine, Path, Path], fresh: Machine, tmp_path: Path
) -> None:
    bundle = tmp_path / "edge.archipel-bundle"
    bundle.write_bytes(GOOD.but(files={**GOOD.files, "k3s": (Kind.K3S, CURRENT)}).packed())
    fresh.ports.disk.write(fresh.paths.settings / "bundle-keys/maker.pub", MAKERS_KEY)
    given = {"source": str(backed_up[1]), "key_file": str(backed_up[2]), "bundle": str(bundle)}
    done = fresh.do(Verb.RESTORE, **given)
    assert done.state is JobState.SUCCEEDED, done.sentence
    is_that_site(fresh, backed_up[0])
    assert fresh.paths.k3s_binary.read_bytes() == CURRENT
    assert (fresh.paths.k3s_images / "core.tar.zst").read_bytes() == IMAGE


def test_the_machines_own_settings_stay(backed_up: tuple[Machine, Path, Path], fresh: Machine) -> None:
    fresh.ports.disk.write(fresh.paths.settings / "agent.toml", b'language = "de"\n')
    assert restore(fresh, backed_up[1], backed_up[2]).state is JobState.SUCCEEDED
    assert (fresh.paths.settings / "agent.toml").read_bytes() == b'language = "de"\n'


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.prove)])
def test_cut_off_at_any_instant_it_goes_on_to_the_same_end(
    backed_up: tuple[Machine, Path, Path], tmp_path: Path, stride: int
) -> None:
    old, stick, key = backed_up
    instants = _instants(tmp_path / "counted", stick, key)
    assert instants > 40
    for number in range(1, instants + 1, stride):
        machine = Machine(tmp_path / f"new-{number}")
        machine.power.crash_at(number)
        with pytest.raises(PowerCut):
            restore(machine, stick, key)
        done = machine.go_on()
        assert done.state is JobState.SUCCEEDED, f"cut at {number}: {done.sentence}"
        is_that_site(machine, old)
        machine.close()


def _instants(root: Path, stick: Path, key: Path) -> int:
    machine = Machine(root)
    machine.power.crash_at(None)
    assert restore(machine, stick, key).state is JobState.SUCCEEDED
    machine.close()
    return machine.power.count - 2  # the last keeps the job's own end


@pytest.mark.parametrize("step", ["restore-read", "restore-settle", "restore-place", "start", "wait-node"])
def test_asked_to_stop_it_leaves_the_machine_as_it_was(
    backed_up: tuple[Machine, Path, Path], fresh: Machine, step: str
) -> None:
    before = whole(fresh)
    done = fresh.do(Verb.RESTORE, stop_at=step, source=str(backed_up[1]), key_file=str(backed_up[2]))
    assert done.state is JobState.CANCELLED, done.sentence
    assert whole(fresh) == before


@pytest.fixture(params=["truncated", "flipped", "other key", "no key", "nothing", "empty"])
def bad(
    request: pytest.FixtureRequest, backed_up: tuple[Machine, Path, Path], tmp_path: Path
) -> tuple[Path, Path, str]:
    """A source, a key and the finding they lead to."""
    _, stick, key = backed_up
    copy, other = tmp_path / "stick", tmp_path / "key"
    shutil.copytree(stick, copy)
    shutil.copy(key, other)
    (file,) = copy.iterdir()
    data = bytearray(file.read_bytes())
    match request.param:
        case "truncated":
            file.write_bytes(data[: len(data) // 2])
            return copy, other, "backup-damaged"
        case "flipped":
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
            return copy, other, "backup-damaged"
        case "other key":
            other.write_text(new_recovery_key().secret)
            return copy, other, "backup-wrong-key"
        case "no key":
            other.write_text("hello")
            return copy, other, "backup-wrong-key"
        case "nothing":
            return tmp_path / "away", other, "backup-target-away"
        case _:
            file.unlink()
            return copy, other, "backup-not-found"


def test_what_cannot_be_used_leaves_the_machine_as_it_was(
    bad: tuple[Path, Path, str], fresh: Machine
) -> None:
    before = whole(fresh)
    assert code(restore(fresh, bad[0], bad[1])) == bad[2]
    assert whole(fresh) == before


def test_a_backup_of_a_newer_k3s_is_refused_before_anything_is_touched(
    backed_up: tuple[Machine, Path, Path], fresh: Machine
) -> None:
    old, stick, key = backed_up
    there = old.store.site()
    assert there is not None and there.k3s.version > "v1.30"
    before = whole(fresh)
    done = fresh.do(Verb.RESTORE, source=str(stick), key_file=str(key), k3s="v1.30.1+k3s1")
    assert code(done) == "backup-older-k3s" and "v1.30.1+k3s1 is here" in str(done.finding)
    assert whole(fresh) == before
    plan = foreseen(fresh, source=str(stick), key_file=str(key), k3s="v1.30.1+k3s1")
    assert [one.code for one in plan.findings] == ["backup-older-k3s"]
    assert plan.backup is not None and plan.backup.k3s_version == there.k3s.version


def foreseen(machine: Machine, **options: str) -> Plan:
    """What `restore --plan` says."""
    node = machine.store.value("node_id") or ""
    core = Core(machine.ports, machine.paths, machine.settings, node, machine.store)
    return core.plan(JobRequest(verb=Verb.RESTORE, options=dict(options)))


def test_the_plan_of_a_restore_opens_the_backup_and_changes_nothing(
    backed_up: tuple[Machine, Path, Path], fresh: Machine
) -> None:
    _, stick, key = backed_up
    before = whole(fresh)
    fresh.clock.advance(86400.0)
    plan = foreseen(fresh, source=str(stick), key_file=str(key))
    assert plan.findings == () and plan.backup is not None
    held = plan.backup
    assert (held.site_name, held.node_name, held.sequence) == ("Halle 3", "press-7", 1)
    assert (held.volumes, held.datastore) == (("pvc-1",), "sqlite")
    assert held.age_seconds is not None and 80000 < held.age_seconds < 90000
    assert "restore-place" in [one.slug for one in plan.steps if one.needed]
    assert whole(fresh) == before


def test_the_plan_says_why_a_restore_would_be_refused(
    bad: tuple[Path, Path, str], backed_up: tuple[Machine, Path, Path], fresh: Machine
) -> None:
    before = whole(fresh)
    found = [one.code for one in foreseen(fresh, source=str(bad[0]), key_file=str(bad[1])).findings]
    assert found == [bad[2]]  # damage, too: this backup is so small that its beginning is all of it
    living = foreseen(backed_up[0], source=str(backed_up[1]), key_file=str(backed_up[2]))
    assert [one.code for one in living.findings] == ["backup-site-lives"]
    assert whole(fresh) == before


def test_a_living_site_is_not_touched_unless_it_may_be_moved_aside(
    backed_up: tuple[Machine, Path, Path], tmp_path: Path
) -> None:
    _, stick, key = backed_up
    other = site(tmp_path / "other")
    before = whole(other)
    assert code(restore(other, stick, key)) == "backup-site-lives"
    assert code(restore(other, stick, key, aside=True)) == "backup-foreign"
    assert whole(other) == before
    other.close()


def test_a_site_goes_back_to_its_backup_and_what_lived_there_is_kept(tmp_path: Path) -> None:
    machine = site(tmp_path / "root")
    stick, key = tmp_path / "stick", tmp_path / "key"
    stick.mkdir()
    key.write_text(KEY.secret)
    assert machine.do(Verb.BACKUP, to=str(stick)).state is JobState.SUCCEEDED
    count = machine.paths.k3s_data / "storage/pvc-1/count"
    count.write_text("spoilt\n")
    done = restore(machine, stick, key, aside=True)
    assert done.state is JobState.SUCCEEDED, done.sentence
    assert count.read_text() == "42\n"
    aside = machine.paths.k3s_data.with_name("k3s.aside-000001")
    assert (aside / "storage/pvc-1/count").read_text() == "spoilt\n"
    assert str(aside) in done.sentence and machine.world.life.run is not None
    machine.close()


@pytest.mark.parametrize("step", ["restore-settle", "restore-place", "wait-api"])
def test_stopped_on_the_way_back_the_site_lives_on_as_it_did(tmp_path: Path, step: str) -> None:
    machine = site(tmp_path / "root")
    stick, key = tmp_path / "stick", tmp_path / "key"
    stick.mkdir()
    key.write_text(KEY.secret)
    assert machine.do(Verb.BACKUP, to=str(stick)).state is JobState.SUCCEEDED
    count = machine.paths.k3s_data / "storage/pvc-1/count"
    count.write_text("newer\n")
    done = machine.do(Verb.RESTORE, stop_at=step, source=str(stick), key_file=str(key), aside=True)
    assert done.state is JobState.CANCELLED
    assert count.read_text() == "newer\n"
    assert machine.store.site() is not None and machine.world.life.run is not None
    assert not machine.paths.k3s_data.with_name("k3s.aside-000001").exists()
    machine.close()


def test_a_backup_without_a_key_to_seal_for_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    machine = site(tmp_path / "root")
    (machine.paths.settings / "backup-recipients.txt").unlink()
    stick = tmp_path / "stick"
    stick.mkdir()
    before = whole(machine)
    job = machine.do(Verb.BACKUP, to=str(stick))
    assert code(job) == "backup-no-recipients" and job.changed_nothing
    assert list(stick.iterdir()) == [] and whole(machine) == before
    machine.close()


def test_a_backup_cut_off_at_any_instant_is_made_all_the_same(
    backed_up: tuple[Machine, Path, Path], tmp_path: Path
) -> None:
    machine, _, _ = backed_up
    for number in range(1, 40, 4):
        stick = tmp_path / str(number)
        stick.mkdir()
        machine.power.crash_at(number)
        try:
            done = machine.do(Verb.BACKUP, to=str(stick))
        except PowerCut:
            done = machine.go_on()
        machine.power.crash_at(None)
        assert done.state is JobState.SUCCEEDED, f"cut at {number}: {done.sentence}"
        # Cut off after its last note, there is nothing to tell it from one that never began: a second one is made.
        assert len(list(stick.iterdir())) in (1, 2)
        assert machine.ports.disk.names(machine.paths.state / "backup") == ()


def test_retention_lets_the_oldest_go_whatever_the_clock_says(tmp_path: Path) -> None:
    settings = Settings(backup_keep="2")
    machine = site(tmp_path / "root", settings)
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "holiday.jpg").write_bytes(b"not ours")
    for years in (0, 10, -10, 0):
        machine.clock.jump(machine.clock.now().replace(year=machine.clock.now().year + years))
        assert machine.do(Verb.BACKUP, to=str(stick)).state is JobState.SUCCEEDED
    left = sorted(one.name for one in stick.iterdir())
    assert [name[-len("000001.tar.gz.age") :] for name in left] == [
        "000003.tar.gz.age",
        "000004.tar.gz.age",
        "holiday.jpg",
    ]
    machine.close()


def test_what_went_wrong_is_remembered_until_one_arrives(tmp_path: Path) -> None:
    machine = site(tmp_path / "root", replace(Settings(), backup_to=str(tmp_path / "stick")))
    assert code(machine.do(Verb.BACKUP)) == "backup-target-away"
    trouble = record.problem(machine.store)
    assert trouble is not None and trouble.code == "backup-target-away"
    (tmp_path / "stick").mkdir()
    assert machine.do(Verb.BACKUP).state is JobState.SUCCEEDED
    assert record.problem(machine.store) is None and record.last(machine.store) is not None
    machine.close()


def test_a_drill_is_evidence_and_leaves_nothing(backed_up: tuple[Machine, Path, Path]) -> None:
    machine, stick, key = backed_up
    before = whole(machine)
    done = machine.do(Verb.DRILL, source=str(stick), key_file=str(key))
    assert done.state is JobState.SUCCEEDED, done.sentence
    assert whole(machine) == before
    drilled = record.drilled(machine.store)
    assert drilled is not None and drilled.files >= 5


def test_a_drill_with_the_wrong_key_says_so(backed_up: tuple[Machine, Path, Path], tmp_path: Path) -> None:
    machine, stick, _ = backed_up
    (tmp_path / "key").write_text(new_recovery_key().secret)
    assert (
        code(machine.do(Verb.DRILL, source=str(stick), key_file=str(tmp_path / "key"))) == "backup-wrong-key"
    )
