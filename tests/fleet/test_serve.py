"""The controller as a process: it takes in what nodes say over real brokers, says what is wrong, and ends in order."""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_contract.link import broker_url, envelope, topics
from archipel_contract.link.carrier import Incoming, Outgoing
from archipel_contract.link.envelope import Envelope
from archipel_contract.link.messages import Event, EventKind
from archipel_contract.link.mqtt import MqttCarrier
from tests.brokers.servers import RealBroker, await_true
from tests.fakes.fleet_intake import NODE, SITE, hello, message
from tests.fleet.controllers import RealController, refused, running

pytestmark = [pytest.mark.real_process, pytest.mark.broker, pytest.mark.timeout(180)]
SHARD = topics.shard_of(SITE, NODE)
CONTROLLER = [(topics.CONTROLLER_PRESENCE, 1), (topics.down_filter(SHARD, NODE), 1)]


class Talker:
    """A node's end of the link, that sends what a test puts into it."""

    def __init__(self, carrier: MqttCarrier) -> None:
        self.carrier = carrier
        self.heard: list[tuple[str, Envelope]] = []

    def __enter__(self) -> "Talker":
        self.carrier.open()
        self.carrier.subscribe(CONTROLLER)
        return self

    def __exit__(self, *_: object) -> None:
        self.carrier.close()

    def send(self, incoming: Incoming) -> None:
        self.raw(incoming.topic, incoming.payload)

    def raw(self, topic: str, payload: bytes) -> None:
        until = time.monotonic() + 30
        while not self.carrier.send(Outgoing(topic=topic, payload=payload, qos=1)):
            assert time.monotonic() < until
            self.listen(0.05)

    def listen(self, seconds: float) -> None:
        for one in self.carrier.receive(seconds):
            assert isinstance(one, Incoming), one
            self.heard.append((one.topic, envelope.from_wire(one.payload)[1]))

    def await_heard(self, wanted: Callable[[Envelope], bool], seconds: float = 30.0) -> Envelope:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = next((said for _, said in self.heard if wanted(said)), None)
            if found is not None:
                return found
            self.listen(0.1)
        raise AssertionError(f"never heard; heard {self.heard}")


def note(sequence: int, text: str = "hello") -> Incoming:
    return message(Event(kind=EventKind.NOTE, text=text), sequence=sequence)


def acknowledged(upto: int) -> Callable[[Envelope], bool]:
    return lambda said: said.type == "ack" and any(one["upto"] >= upto for one in said.body["acks"])


def presence(connected: bool) -> Callable[[Envelope], bool]:
    return lambda said: said.type == "presence" and said.body["connected"] is connected


def test_a_first_start_shows_its_password_once_serves_and_says_goodbye_to_its_nodes(
    tmp_path: Path, mosquitto: RealBroker
) -> None:
    ready = tmp_path / "ready"
    with (
        running(tmp_path, "--ready-file", str(ready), broker=str(mosquitto.url)) as controller,
        Talker(mosquitto.carrier("talker")) as node,
    ):
        assert controller.said().count("log in as admin with the password ") == 1
        assert ready.read_text() == f"http://{controller.address}\n"
        assert (controller.data / "cli.token").stat().st_mode & 0o777 == 0o600
        assert controller.data.stat().st_mode & 0o777 == 0o700
        assert controller.ask("/api/v1/summary", token="")[0] == 401
        assert controller.ask("/metrics", token="")[0] in (401, 403)
        node.await_heard(presence(True))
        node.send(hello())
        assert node.await_heard(lambda said: said.type == "welcome").body["connection"] == 1
        node.send(note(1))
        node.await_heard(acknowledged(1))
        assert controller.ask("/api/v1/summary")[1]["nodes"] == 1
        assert controller.stop() == Exit.OK
        node.await_heard(presence(False))
        controller.start()
        assert "password" not in controller.said()
        assert controller.ask("/api/v1/summary")[1]["nodes"] == 1


def test_rubbish_of_every_kind_is_refused_and_counted_and_the_rest_goes_on(
    tmp_path: Path, mosquitto: RealBroker
) -> None:
    with (
        running(tmp_path, broker=str(mosquitto.url)) as controller,
        Talker(mosquitto.carrier("talker")) as node,
    ):
        node.send(hello())
        event = topics.up(SHARD, NODE, topics.Up.EVENT)
        for rubbish in (b"", b"\0\1", b"{}", b"A1 unsigned -\n{", b"x\x9cbad", b"A" * 131_072):
            node.raw(event, rubbish)
        node.raw("archipel/1/zz/nobody/up/event", b"hello")
        node.raw(topics.up((SHARD + 1) % 64, NODE, topics.Up.EVENT), note(1).payload)
        node.send(note(1))
        node.send(note(1))
        node.await_heard(acknowledged(1))
        controller.await_measured("archipel_fleet_messages_refused_total", 8)
        assert controller.findings().count("fleet-messages-refused") == 2
        node.send(note(2))
        node.await_heard(acknowledged(2))
        assert controller.measured("archipel_fleet_duplicates_total") == 1


def test_a_database_locked_by_another_program_delays_and_loses_nothing(
    tmp_path: Path, mosquitto: RealBroker
) -> None:
    with (
        running(tmp_path, broker=str(mosquitto.url)) as controller,
        Talker(mosquitto.carrier("talker")) as node,
    ):
        other = sqlite3.connect(controller.data / "fleet.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        node.send(hello())
        node.send(note(1))
        await_true(lambda: "fleet-database-locked" in controller.findings(), 30, controller.logged)
        assert not any(said.type == "ack" for _, said in node.heard)
        node.await_heard(presence(False))
        node.heard.clear()
        other.execute("ROLLBACK")
        other.close()
        node.await_heard(presence(True))
        node.send(note(1))
        node.await_heard(acknowledged(1))
        assert controller.findings() == []
        assert controller.measured("archipel_fleet_duplicates_total") == 1


def test_a_broker_that_is_killed_comes_back_and_so_do_the_controller_and_its_nodes(tmp_path: Path) -> None:
    with running(tmp_path) as controller:
        url = f"mqtt://127.0.0.1:{controller.broker_port}"
        servers = [int(word) for word in _children(controller) if _name(int(word)) == "nats-server"]
        assert len(servers) == 1
        with socket.create_connection(("127.0.0.1", controller.broker_port), 5):
            os.kill(servers[0], signal.SIGKILL)
        await_true(
            lambda: controller.measured("archipel_fleet_broker_connects_total") >= 2, 30, controller.logged
        )
        carrier = MqttCarrier(broker_url.parse(url), "talker")
        with Talker(carrier) as node:
            node.send(hello())
            node.await_heard(lambda said: said.type == "welcome")
        assert controller.findings() == []
        assert controller.stop() == Exit.OK
    assert not Path(f"/proc/{servers[0]}").exists()


def test_a_client_that_opens_the_stream_and_never_reads_holds_up_nobody_and_not_the_end(
    tmp_path: Path, mosquitto: RealBroker
) -> None:
    with (
        running(tmp_path, broker=str(mosquitto.url)) as controller,
        Talker(mosquitto.carrier("talker")) as node,
    ):
        host, _, port = controller.address.rpartition(":")
        token = (controller.data / "cli.token").read_text().strip()
        silent = socket.create_connection((host, int(port)))
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.sendall(
            f"GET /api/v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        node.send(hello())
        for sequence in range(1, 200):
            node.send(note(sequence))
        node.await_heard(acknowledged(199))
        assert controller.ask("/api/v1/summary")[0] == 200
        began = time.monotonic()
        assert controller.stop() == Exit.OK
        assert time.monotonic() - began < 20
        silent.close()


def test_a_second_controller_on_the_same_data_is_refused_and_the_first_goes_on(
    tmp_path: Path, mosquitto: RealBroker
) -> None:
    with running(tmp_path, broker=str(mosquitto.url)) as controller:
        (tmp_path / "second").mkdir()
        code, said = refused(tmp_path / "second", "--data", str(controller.data), broker=str(mosquitto.url))
        assert code == Exit.REFUSED
        assert "A controller is running already" in said
        assert controller.process is not None
        assert str(controller.process.pid) in said
        assert controller.ask("/healthz")[0] == 200


def test_what_stands_in_the_way_of_a_start_is_said_with_a_remedy_and_nothing_is_left_running(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = refused(tmp_path, "--listen", f"127.0.0.1:{port}")
        assert (code, "is used by another program" in said, "--listen" in said) == (Exit.REFUSED, True, True)
        code, said = refused(tmp_path, "--broker-port", port)
        assert (code, "is used by another program" in said, "--broker-port" in said) == (
            Exit.REFUSED,
            True,
            True,
        )
    (tmp_path / "file").write_text("")
    code, said = refused(tmp_path, "--data", str(tmp_path / "file"))
    assert (code, "cannot be used" in said) == (Exit.REFUSED, True)


def test_a_database_that_is_newer_or_damaged_is_not_touched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "fleet.db").write_bytes(b"this is no database, and it is long enough to be looked at" * 100)
    before = (data / "fleet.db").read_bytes()
    code, said = refused(tmp_path)
    assert code == Exit.REFUSED, said
    assert (data / "fleet.db").read_bytes() == before
    (data / "fleet.db").unlink()
    newer = sqlite3.connect(data / "fleet.db")
    newer.execute("CREATE TABLE archipel_schema (version_num TEXT)")
    newer.execute("INSERT INTO archipel_schema VALUES ('9999_of_tomorrow')")
    newer.commit()
    newer.close()
    code, said = refused(tmp_path)
    assert (code, "9999_of_tomorrow" in said) == (Exit.REFUSED, True), said


def test_a_broker_that_is_away_at_the_start_is_a_finding_and_the_pages_answer_all_the_same(
    tmp_path: Path,
) -> None:
    made = RealController(tmp_path, broker="mqtt://127.0.0.1:9")
    try:
        made.start()
        assert made.findings() == ["fleet-broker-away"]
        assert made.ask("/healthz")[0] == 503
        assert made.stop(signal.SIGINT) == Exit.OK
    finally:
        made.stop()


def _children(controller: RealController) -> list[str]:
    assert controller.process is not None
    listings = Path(f"/proc/{controller.process.pid}/task").glob("*/children")
    return [word for listing in listings for word in listing.read_text().split()]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
