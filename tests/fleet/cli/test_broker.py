"""`archipel fleet broker`: the files it writes start real brokers, and its check proves them."""

import functools
import json
import os
import pwd
import secrets
import shlex
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_contract.link.broker_url import TLS, BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.secure import client_context
from archipel_contract.trust.keys import to_pem
from archipel_fleet.device_records import Spoken
from archipel_fleet.host.clock import SystemClock
from archipel_fleet.link import broker_nats
from archipel_fleet.link.broker_access import BrokerAccess, ServerTls
from archipel_fleet.link.broker_checking import BrokerCheck
from archipel_fleet.trust.keyring import DIRECTORY, FleetKeys
from tests.brokers.servers import MosquittoBroker, NatsBroker, RealBroker, await_true, free_port
from tests.fakes.fleet_context import FakeClock
from tests.fleet.cli.conftest import Run
from tests.fleet.enrolment.applicant import Device, Fleet, enrolled

pytestmark = [pytest.mark.broker, pytest.mark.real_process]


@pytest.fixture
def keys(home: Path) -> Generator[FleetKeys, None, None]:
    """The keys of a fleet in the usual data directory of whoever runs the command."""
    directory = home / "data"
    directory.mkdir(mode=0o700)
    os.environ["ARCHIPEL_FLEET_DATA"] = str(directory)
    try:
        yield FleetKeys.first(directory / DIRECTORY, "test", SystemClock(), secrets.token_bytes)
    finally:
        del os.environ["ARCHIPEL_FLEET_DATA"]


@contextmanager
def running(kind: type[RealBroker], configuration: Path, state: Path) -> Generator[None, None, None]:
    """A broker with these files, but for where it keeps its own and whom it becomes."""
    if missing := kind.missing():
        pytest.skip(missing)
    state.mkdir()
    text = configuration.read_text()
    for usual in ("/var/lib/archipel-broker", "/var/lib/mosquitto"):
        text = text.replace(usual, str(state))
    if kind is MosquittoBroker and os.geteuid() == 0:
        text += f"user {pwd.getpwuid(os.geteuid()).pw_name}\n"
    configuration.write_text(text)
    with (state / "out").open("wb") as out:
        process = subprocess.Popen([str(kind.program()), "-c", str(configuration)], stdout=out, stderr=out)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(NatsBroker, "nats-server.conf"), (MosquittoBroker, "mosquitto.conf")],
    ids=["nats", "mosquitto"],
)
def test_the_files_of_a_broker_start_it_and_it_holds_in_every_point(
    run: Run, keys: FleetKeys, tmp_path: Path, kind: type[RealBroker], name: str
) -> None:
    port, directory = free_port(), tmp_path / "broker"
    said = run(
        "broker", "config", kind.name, "--name", "127.0.0.1", "--listen", "127.0.0.1", "--port", str(port),
        "--out", str(directory),
    )  # fmt: skip
    assert said.code == Exit.OK, said.err
    assert name in said.out and "systemctl" in said.out
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in directory.iterdir())
    url = f"mqtts://127.0.0.1:{port}"
    with running(kind, directory / name, tmp_path / "state"):
        await_true(lambda: answers(url, keys), 10, lambda: (tmp_path / "state" / "out").read_text())
        proved = run("broker", "check", url, "--json")
    points = json.loads(proved.out)["points"]
    assert [point["slug"] for point in points if not point["holds"]] == [] and len(points) == 11
    assert proved.code == Exit.OK


def test_the_users_of_a_nats_server_are_the_keys_of_the_fleets_devices(
    run: Run, keys: FleetKeys, tmp_path: Path
) -> None:
    fleet = Fleet(keys.directory.parent, keys, FakeClock(milliseconds=SystemClock().now()))
    before, after = Device(), Device()
    try:
        first = enrolled(fleet, before)
        assert fleet.renew(before, first, after.key, forced=True).certificate
    finally:
        fleet.store.close()
    assert run("broker", "config", "nats", "--out", str(tmp_path / "broker")).code == Exit.OK
    users = (tmp_path / "broker" / "users.conf").read_text()
    for device in (before, after):
        assert users.count(f'user: "CN={device.node_id},OU={device.signer.key_id}"') == 1


def answers(url: str, keys: FleetKeys) -> bool:
    from archipel_contract.link import broker_url
    from archipel_fleet.trust import founding

    parsed = broker_url.parse(url)
    return next(iter(BrokerCheck(parsed, keys.authority, founding.dated(SystemClock())).points())).holds


def test_a_broker_that_is_away_is_not_good_and_one_without_tls_cannot_be_proved(
    run: Run, keys: FleetKeys
) -> None:
    away = run("broker", "check", f"mqtts://127.0.0.1:{free_port()}", "--lang", "de")
    assert (
        away.code == Exit.NOT_OK and "Controller kommt hinein" in away.out and "cannot be reached" in away.out
    )
    assert run("broker", "check", "mqtt://127.0.0.1:1883").code == Exit.USAGE
    assert run("broker", "check", "http://x").code == Exit.USAGE


def test_without_keys_there_is_nothing_to_configure(run: Run, tmp_path: Path) -> None:
    said = run("broker", "config", "nats", "--out", str(tmp_path / "out"))
    assert said.code == Exit.REFUSED and "archipel fleet" in said.err
    assert not (tmp_path / "out").exists()


# --- units that keep the files up to date ----------------------------------------------------------------------------


def units(run: Run, tmp_path: Path, kind: str) -> dict[str, str]:
    """The units beside a broker's files."""
    directory = tmp_path / "broker of mine"
    said = run("broker", "config", kind, "--name", "broker.example", "--out", str(directory), "--systemd")
    assert said.code == Exit.OK, said.err
    assert "systemctl enable --now archipel-broker-list.timer" in said.out
    return {one.name: one.read_text() for one in directory.iterdir() if "broker-list" in one.name}


@pytest.mark.parametrize(("kind", "unit"), [("nats", "archipel-broker"), ("mosquitto", "mosquitto")])
def test_systemd_understands_the_units_that_keep_a_brokers_files_up_to_date(
    run: Run, keys: FleetKeys, tmp_path: Path, kind: str, unit: str
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    made = units(run, tmp_path, kind)
    assert set(made) == {"archipel-broker-list.service", "archipel-broker-list.timer"}
    service = made["archipel-broker-list.service"]
    assert f"try-reload-or-restart {unit}.service" in service and f"chown -R {unit}: " in service
    copies = []
    for name, text in made.items():
        # Where the command is not installed its program is missing, which is the one thing verify may not complain of.
        command = next((line for line in text.splitlines() if line.startswith("ExecStart=")), "")
        copy = tmp_path / name
        copy.write_text(text.replace(command, "ExecStart=/bin/true") if command else text)
        copies.append(str(copy))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copies], capture_output=True, text=True, check=False
    )
    assert (done.returncode, [one for one in done.stderr.splitlines() if "broker-list" in one]) == (0, [])


def test_every_directive_of_those_units_stands_below_its_reason(
    run: Run, keys: FleetKeys, tmp_path: Path
) -> None:
    plain = {"Description", "ExecStart"}
    for text in units(run, tmp_path, "mosquitto").values():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if "=" not in line or line.startswith("#") or line.partition("=")[0] in plain:
                continue
            above = number - 1
            while lines[above] and not lines[above].startswith(("#", "[")):
                above -= 1
            assert lines[above].startswith("# "), line


def test_what_the_units_do_writes_the_same_files_again_with_who_came_meanwhile(
    run: Run, keys: FleetKeys, tmp_path: Path
) -> None:
    service = units(run, tmp_path, "nats")["archipel-broker-list.service"]
    command = next(line for line in service.splitlines() if line.startswith("ExecStart=")).partition("=")[2]
    words = shlex.split(command)
    assert Path(words[0]).is_absolute() and words[1] == "fleet"
    fleet = Fleet(keys.directory.parent, keys, FakeClock(milliseconds=SystemClock().now()))
    device = Device()
    try:
        enrolled(fleet, device)
    finally:
        fleet.store.close()
    assert run(*words[2:]).code == Exit.OK
    directory = tmp_path / "broker of mine"
    assert device.signer.key_id in (directory / "users.conf").read_text()
    assert f'ReadWritePaths="{directory}"' in service


def test_a_mosquitto_refuses_the_key_a_device_had_before_its_renewal(
    run: Run, keys: FleetKeys, tmp_path: Path
) -> None:
    """Once the device has spoken with its new key, the old one, in whoever's hands, opens nothing any more."""
    fleet = Fleet(keys.directory.parent, keys, FakeClock(milliseconds=SystemClock().now()))
    before, after = Device(), Device()
    try:
        first = enrolled(fleet, before)
        second = fleet.renew(before, first, after.key, forced=True).certificate
        port, directory = free_port(), tmp_path / "broker"
        given = ("broker", "config", "mosquitto", "--name", "127.0.0.1", "--listen", "127.0.0.1",
                 "--port", str(port), "--out", str(directory))  # fmt: skip
        assert run(*given).code == Exit.OK
        comes_in = functools.partial(_comes_in, port, keys, tmp_path)
        with running(MosquittoBroker, directory / "mosquitto.conf", tmp_path / "state"):
            await_true(lambda: comes_in(second, after), 10, lambda: (tmp_path / "state" / "out").read_text())
            assert comes_in(first, before)  # it has not been used yet: the present one still counts
        fleet.store.devices.seen([Spoken(after.node_id, after.signer.key_id)], fleet.clock.now())
    finally:
        fleet.store.close()
    assert run(*given).code == Exit.OK
    with running(MosquittoBroker, directory / "mosquitto.conf", tmp_path / "state-again"):
        await_true(
            lambda: comes_in(second, after), 10, lambda: (tmp_path / "state-again" / "out").read_text()
        )
        assert not comes_in(first, before)


def _comes_in(port: int, keys: FleetKeys, tmp_path: Path, certificate: str, device: Device) -> bool:
    files = (tmp_path / "device.pem", tmp_path / "device.key")
    files[0].write_text(certificate)
    files[1].write_bytes(to_pem(device.key))
    context = client_context(keys.trust.document.authorities, *files, check_time=True)
    url = BrokerUrl("127.0.0.1", port, scheme=TLS)
    carrier = MqttCarrier(url, device.node_id, tls=lambda: context)
    try:
        carrier.open(timeout=5.0)
    except CarrierFailed:
        return False
    carrier.close()
    return True


@pytest.mark.parametrize("setting", ["", 'broker = "mqtts://127.0.0.1:9"\n'])
def test_a_check_without_an_address_looks_at_the_controllers_own_broker_wherever_it_listens(
    run: Run, keys: FleetKeys, setting: str
) -> None:
    """Also where the port was given on the command line of `serve` and stands in no settings."""
    data, port = keys.directory.parent, free_port()
    access = BrokerAccess(
        tls=ServerTls.new(keys.authority, ["127.0.0.1"], datetime.now(UTC)), devices={}, port=port
    )
    (data / "broker").mkdir(mode=0o700)
    (data / "broker" / "nats-server.conf").write_text(broker_nats.guarded(access, data / "broker"))
    (data / "fleet.toml").write_text(setting)
    said = json.loads(run("broker", "check", "--json").out)
    assert said["broker"] == ("mqtts://127.0.0.1:9" if setting else f"mqtts://127.0.0.1:{port}")
