"""The embedded broker: set up for this machine alone, kept running, and clear about why it is not."""

import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from archipel_contract.link import topics
from archipel_contract.link.carrier import Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from archipel_fleet.link import broker as embedded
from archipel_fleet.link import broker_mosquitto
from archipel_fleet.link.broker import BrokerFailed, EmbeddedBroker, find_program
from tests.brokers.listening import heard, lost
from tests.brokers.servers import await_true, free_port

pytestmark = [pytest.mark.broker, pytest.mark.real_process]


@pytest.fixture
def running(tmp_path: Path) -> Generator[EmbeddedBroker, None, None]:
    if find_program() is None:
        pytest.skip("nats is not installed")
    one = EmbeddedBroker(tmp_path / 'a "data" directory with ümlauts', free_port())
    one.start()
    try:
        yield one
    finally:
        one.stop()


def failure(act: Callable[[], object]) -> BrokerFailed:
    with pytest.raises(BrokerFailed) as failed:
        act()
    return failed.value


def test_it_carries_messages_as_soon_as_it_was_started(running: EmbeddedBroker) -> None:
    ear, node = MqttCarrier(running.url, "controller"), MqttCarrier(running.url, "n-0123456789abcdef")
    ear.open()
    ear.subscribe([(topics.ALL_UP, 1)])
    node.open()
    assert node.send(Outgoing(topic="archipel/1/00/n-0123456789abcdef/up/hello", payload=b"hello", qos=1))
    assert heard(ear)[0].payload == b"hello"
    ear.close()
    node.close()


def listening(pid: int) -> set[str]:
    """Addresses on which a process listens, from its socket inodes (proc_pid_fd(5), proc_net(5))."""
    links = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
    own = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in own:
                found.add(fields[1])
    return found


def test_it_listens_on_loopback_only_and_lets_nobody_in_by_its_own_protocol(running: EmbeddedBroker) -> None:
    assert running.pid is not None
    listeners = listening(running.pid)
    assert len(listeners) == 2 and {address.partition(":")[0] for address in listeners} == {"0100007F"}
    (other,) = {int(address.partition(":")[2], 16) for address in listeners} - {running.url.port}
    with socket.create_connection(("127.0.0.1", other), 5) as line:
        assert line.recv(4096).startswith(b"INFO ")
        line.sendall(b'CONNECT {"verbose":true}\r\nPUB archipel.1 1\r\nx\r\nPING\r\n')
        answer = b""
        while b"-ERR" not in answer and (part := line.recv(4096)):
            answer += part
        assert b"Authorization Violation" in answer and b"PONG" not in answer


def test_its_configuration_can_be_read_by_its_owner_only(running: EmbeddedBroker) -> None:
    (path,) = running._directory.glob("*.conf")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_started_again_when_it_is_killed_and_forgets_no_retained_message(
    running: EmbeddedBroker,
) -> None:
    node = MqttCarrier(running.url, "node")
    node.open()
    assert node.send(Outgoing(topic=topics.CONTROLLER_PRESENCE, payload=b"here", qos=1, retained=True))
    while node.unsent():
        node.receive(1)
    first = running.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert lost(node).code == "link-broker-away"
    await_true(running.answers, 10, lambda: running.problem or "it did not come back")
    assert running.pid != first and running.restarts == 1 and not running.problem
    node.open()
    node.subscribe([(topics.CONTROLLER_PRESENCE, 1)])
    assert heard(node)[0].payload == b"here"
    node.close()


def test_it_starts_again_in_the_same_directory_and_after_that_was_deleted(running: EmbeddedBroker) -> None:
    running.stop()
    assert running.pid is None
    running.start()
    running.stop()
    for path in sorted(running._directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    running.start()
    assert running.answers()


def test_a_missing_program_is_said_with_its_own_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_program", lambda: None)
    failed = failure(EmbeddedBroker(tmp_path, free_port()).start)
    assert failed.code == "fleet-broker-missing" and "nats-server" in str(failed)


def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = failure(EmbeddedBroker(tmp_path / "data", port).start)
    assert failed.code == "fleet-broker-failed" and f"port {port} is used" in str(failed)
    assert not (tmp_path / "data").exists()


def test_a_server_that_ends_at_once_is_given_up_with_what_it_said(
    running: EmbeddedBroker, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "store").write_text("a file where its directory should be")
    began = time.monotonic()
    other = EmbeddedBroker(tmp_path / "broken", free_port())
    failed = failure(other.start)
    assert failed.code == "fleet-broker-failed" and "storage directory" in str(failed)
    assert time.monotonic() - began < 8 and other.pid is None


def test_a_program_that_is_no_broker_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "false"
    program.write_text("#!/bin/sh\necho wrong machine\nexit 1\n")
    program.chmod(0o755)
    failed = failure(EmbeddedBroker(tmp_path, free_port(), program).start)
    assert failed.code == "fleet-broker-failed" and "wrong machine" in str(failed)


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (
        failure(EmbeddedBroker(tmp_path / "file" / "data", free_port()).start).code == "fleet-broker-failed"
    )


def test_the_configuration_for_mosquitto_keeps_it_on_this_machine(tmp_path: Path) -> None:
    # That mosquitto takes it, every test with a mosquitto shows.
    lines = broker_mosquitto.plain(1999, tmp_path).splitlines()
    assert "listener 1999 127.0.0.1" in lines and f"persistence_location {tmp_path}/" in lines
    assert not any(line.startswith("user ") for line in lines)
    assert "user fleet" in broker_mosquitto.plain(1999, tmp_path, "fleet").splitlines()
