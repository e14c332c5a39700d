"""A site whose k3s was adopted is backed up without being written to, and lives on where Archipel sets k3s up."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel_agent.jobs.planning import plan_of
from archipel_agent.k3s.carrying import ADDITION
from archipel_agent.observe import World, gather
from archipel_agent.steps.base import Context
from archipel_agent.steps.options import parse
from archipel_agent.steps.story import story
from archipel_contract.jobs import Job, JobState, Plan, Verb
from archipel_contract.trust import sealing
from tests.agent.backup.machine import KEY, Machine, Value, site

OTHERS = """\
token: "{token}"
node-ip: "{address}"
disable:
  - "servicelb"
  - "traefik"
write-kubeconfig-mode: "0644"
tls-san:
  - "old.example"
{more}"""
UNIT = b"[Unit]\nDescription=Lightweight Kubernetes\n[Service]\nExecStart=/usr/local/bin/k3s server\n"
NOT_OURS = ("etc/rancher", "etc/systemd", "usr", "var/lib/rancher/k3s/server/manifests")


def adopted(root: Path, more: str = "") -> Machine:
    """A machine whose k3s was set up by somebody else and adopted."""
    machine = site(root)
    before, token = machine.store.site(), machine.store.value("token")
    assert before is not None
    assert machine.do(Verb.REMOVE, what="agent-only").state is JobState.SUCCEEDED
    machine.store.keep_sites({"current": None, "desired": None})
    machine.store.keep(token=None)
    disk, paths = machine.ports.disk, machine.paths
    text = OTHERS.format(token=token, address=before.network.node_ip, more=more)
    disk.write(paths.k3s_config, text.encode(), 0o600)
    disk.write(paths.k3s_unit, UNIT, 0o644)
    disk.write(paths.k3s_unit.with_name("k3s.service.env"), b"HTTP_PROXY=http://proxy:3128\n", 0o600)
    disk.write(paths.k3s_data / "server/token", f"K10abcdef::server:{token}\n".encode(), 0o600)
    disk.write(paths.settings / "backup-recipients.txt", f"{KEY.recipient}\n".encode(), 0o600)
    done = machine.do(Verb.ADOPT, name="Halle 3")
    assert done.state is JobState.SUCCEEDED, (done.sentence, done.finding and done.finding.params)
    return machine


class Stick:
    """A stick and a key in somebody's hand."""

    def __init__(self, home: Path) -> None:
        self.place, self.key = home / "stick", home / "key"
        self.place.mkdir()
        self.key.write_text(KEY.secret)

    def restored(self, machine: Machine, *said: str) -> Job:
        more: dict[str, Value] = dict.fromkeys(said, True)
        return machine.do(Verb.RESTORE, "", source=str(self.place), key_file=str(self.key), **more)

    def planned(self, machine: Machine) -> Plan:
        options = parse(Verb.RESTORE, {"source": str(self.place), "key_file": str(self.key)})
        context = Context(
            verb=Verb.RESTORE,
            options=options,
            ports=machine.ports,
            paths=machine.paths,
            settings=machine.settings,
            store=machine.store,
            node_id=machine.store.value("node_id") or "",
        )
        world = World(paths=machine.paths, store=machine.store)
        return plan_of(story(Verb.RESTORE, options), context, gather(machine.ports, world))


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    return Stick(tmp_path)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "new")
    yield machine
    machine.close()


def backed_up(home: Path, stick: Stick, more: str = "") -> Machine:
    """An adopted site with a backup on the stick."""
    machine = adopted(home / "old", more)
    before, pid = machine.files(*NOT_OURS), machine.ports.k3s.status().pid
    done = machine.do(Verb.BACKUP, to=str(stick.place))
    assert done.state is JobState.SUCCEEDED, (done.sentence, done.finding and done.finding.params)
    assert (machine.files(*NOT_OURS), machine.ports.k3s.status().pid) == (before, pid)
    return machine


def test_it_is_restored_as_a_site_of_ours_with_its_token_and_what_can_go_along(
    tmp_path: Path, stick: Stick, fresh: Machine
) -> None:
    old = backed_up(tmp_path, stick)
    done = stick.restored(fresh)
    assert done.state is JobState.SUCCEEDED, (done.sentence, done.finding and done.finding.params)
    here, there = fresh.store.site(), old.store.site()
    assert here is not None and there is not None
    assert (here.site_id, here.adopted, here.components) == (there.site_id, False, there.components)
    assert (fresh.store.value("token") or "?") in (old.paths.k3s_data / "server/token").read_text()
    assert (fresh.paths.k3s_settings / ADDITION).read_text().count("old.example") == 1
    config = fresh.paths.k3s_config.read_text()
    assert "Written by Archipel" in config and "0600" in config
    assert (fresh.paths.k3s_data / "server/tls/server-ca.crt").read_bytes() == b"the authority"
    assert fresh.paths.k3s_unit.read_bytes() != UNIT
    old.close()


def test_unit_and_settings_as_they_were_lie_in_the_backup_for_people(tmp_path: Path, stick: Stick) -> None:
    old = backed_up(tmp_path, stick)
    (file,) = stick.place.iterdir()
    opened = io.BytesIO()
    with file.open("rb") as sealed:
        sealing.open_sealed(sealed, opened, (KEY.secret,))
    opened.seek(0)
    with tarfile.open(fileobj=opened, mode="r:gz") as archive:
        names = archive.getnames()
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        told = json.loads(manifest.read())
    wanted = {"systemd/system/k3s.service", "systemd/system/k3s.service.env", "rancher/k3s/config.yaml"}
    assert {f"archipel/as-found/etc/{name}" for name in wanted} <= set(names)
    assert "etc/rancher/k3s/config.yaml" not in names
    assert "etc/rancher/k3s/registries.yaml" in names
    assert told["adopted"]["arguments"]["tls-san"] == ["old.example"]
    token = (old.paths.k3s_data / "server/token").read_text().strip().rpartition(":")[2]
    assert token not in json.dumps(told)
    old.close()


def test_what_cannot_go_along_is_named_before_anything_is_done(
    tmp_path: Path, stick: Stick, fresh: Machine
) -> None:
    old = backed_up(tmp_path, stick, "node-external-ip: 198.51.100.7\nselinux: true\n")
    before = fresh.files("etc", "usr", "var/lib/rancher")
    plan = stick.planned(fresh)
    assert [one.code for one in plan.findings] == ["backup-settings-lost"]
    named = {one.name: one for one in plan.drift}
    assert {"node-external-ip", "selinux", "write-kubeconfig-mode"} <= named.keys()
    assert named["write-kubeconfig-mode"].wanted == "0600"
    refused = stick.restored(fresh)
    assert refused.finding is not None and refused.finding.code == "backup-settings-lost"
    assert "198.51.100.7" in refused.finding.params["problem"]
    assert fresh.files("etc", "usr", "var/lib/rancher") == before
    done = stick.restored(fresh, "drop_settings")
    assert done.state is JobState.SUCCEEDED, (done.sentence, done.finding and done.finding.params)
    assert "198.51.100.7" not in (fresh.paths.k3s_settings / ADDITION).read_text()
    old.close()


def test_a_database_elsewhere_is_no_part_of_the_machine_and_refused(tmp_path: Path, stick: Stick) -> None:
    old = adopted(tmp_path / "old", 'datastore-endpoint: "mysql://user:word@db"\n')
    refused = old.do(Verb.BACKUP, to=str(stick.place))
    assert refused.finding is not None and refused.changed_nothing
    assert refused.finding.code == "backup-adopted-refused"
    assert "not on this machine" in refused.finding.params["problem"]
    assert list(stick.place.iterdir()) == []
    old.close()


def test_while_k3s_does_not_say_how_it_is_set_no_half_backup_is_made(tmp_path: Path, stick: Stick) -> None:
    old = adopted(tmp_path / "old")
    assert old.do(Verb.DOWN).state is JobState.SUCCEEDED
    refused = old.do(Verb.BACKUP, to=str(stick.place))
    assert refused.finding is not None and refused.changed_nothing
    assert refused.finding.code == "backup-adopted-refused"
    assert list(stick.place.iterdir()) == []
    old.close()


def test_on_the_machine_of_an_adopted_k3s_itself_nothing_is_restored(tmp_path: Path, stick: Stick) -> None:
    old = backed_up(tmp_path, stick)
    refused = stick.restored(old, "aside")
    assert refused.finding is not None and refused.changed_nothing
    assert refused.finding.code == "adopted-not-ours"
    old.close()


@pytest.mark.parametrize(("found", "kept"), [("K10abcdef::node:theirs", "theirs"), ("", None)])
def test_a_token_of_agents_that_k3s_had_goes_along_as_k3s_starts_only_once_with_another(
    tmp_path: Path, stick: Stick, fresh: Machine, found: str, kept: str | None
) -> None:
    machine = adopted(tmp_path / "old")
    place = machine.paths.k3s_data / "server"
    text = found.encode() or (place / "token").read_bytes()
    machine.ports.disk.write(place / "agent-token", text, 0o600)
    assert machine.do(Verb.BACKUP, to=str(stick.place)).state is JobState.SUCCEEDED
    assert stick.restored(fresh).state is JobState.SUCCEEDED
    assert fresh.store.value("agent_token") == kept
    assert ("agent-token-file" in fresh.paths.k3s_config.read_text()) is (kept is not None)
    machine.close()
