"""`archipel fleet broker`: the files it writes start real brokers, and its check proves them."""

import json
import os
import pwd
import secrets
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_fleet.host.clock import SystemClock
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
