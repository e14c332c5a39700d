"""The embedded broker: nats-server with its MQTT listener on loopback, set up, started and kept running by us.

`serve` starts one where the settings name no broker of somebody else's. Nothing of value is in it: its whole directory may
be deleted while it is stopped. Also here: the configuration of an external mosquitto that does the same service.
"""

import json
import os
import secrets
import shutil
import socket
import sysconfig
from pathlib import Path

from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_fleet.host.files import make_private, write_private
from archipel_fleet.host.process import KeptProcess, ProcessFailed

PROGRAM = "nats-server"
LOG = "nats-server.log"
HOST = "127.0.0.1"
START_SECONDS = 15.0
ANSWER_SECONDS = 2.0
CHECK_ID = "archipel-broker-check"
PACKET_LIMIT = 256 << 10  # bytes; twice what a message may have, so that what is refused is never ours
UNACKNOWLEDGED = (
    1000  # QoS 1 messages on their way to one client; below that a busy controller would be kept waiting
)
QUEUED_MESSAGES = 100_000  # what mosquitto keeps for a client that reads slowly, beyond which it drops
QUEUED_BYTES = 64 << 20


class BrokerFailed(Exception):
    """The embedded broker does not run; `code` is the finding: fleet-broker-missing, fleet-broker-failed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class EmbeddedBroker:
    """One nats-server with its files in one directory."""

    def __init__(self, directory: Path, port: int, program: Path | None = None) -> None:
        """Nothing is started yet; `program` is looked for beside Python, then on PATH, unless it is given."""
        self._directory = directory
        self._program = program
        self._kept: KeptProcess | None = None
        self._said = 0  # bytes of its log from before this start
        self.url = BrokerUrl(HOST, port)

    @property
    def pid(self) -> int | None:
        """The running server; None while there is none."""
        return self._kept.pid if self._kept is not None else None

    @property
    def restarts(self) -> int:
        """How often it had to be started again."""
        return self._kept.restarts if self._kept is not None else 0

    @property
    def problem(self) -> str:
        """Why it was given up after it had been started; empty while it is kept running."""
        return self._kept.problem if self._kept is not None else ""

    def start(self) -> None:
        """Write the configuration, start the server, and return when it takes MQTT connections; raises BrokerFailed."""
        program = self._program or find_program()
        if program is None:
            raise BrokerFailed(
                "fleet-broker-missing", f"there is no {PROGRAM} beside Python and none on PATH"
            )
        if _is_taken(self.url):
            raise BrokerFailed("fleet-broker-failed", f"port {self.url.port} is used by another program")
        try:
            make_private(self._directory)
            configuration = self._directory / "nats-server.conf"
            log = self._directory / LOG
            self._said = log.stat().st_size if log.exists() else 0
            write_private(configuration, nats_configuration(self.url.port, self._directory))
            self._kept = KeptProcess([program, "-c", configuration], self._directory / "nats-server.out")
            self._kept.start()
        except (OSError, ProcessFailed) as error:
            raise BrokerFailed("fleet-broker-failed", str(error)) from error
        try:
            self._kept.await_ready(self.answers, START_SECONDS)
        except ProcessFailed as error:
            self.stop()
            raise BrokerFailed(
                "fleet-broker-failed", f"{PROGRAM} does not run: {self._complaint() or error}"
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server; nothing happens if it does not run."""
        if self._kept is not None:
            self._kept.stop()

    def answers(self) -> bool:
        """Whether it takes an MQTT connection within ANSWER_SECONDS."""
        carrier = MqttCarrier(self.url, CHECK_ID)
        try:
            carrier.open(timeout=ANSWER_SECONDS)
        except CarrierFailed:
            return False
        carrier.close()
        return True

    def _complaint(self) -> str:
        """The last error in its own log; what kept it from starting."""
        try:
            written = (self._directory / LOG).read_bytes()
        except OSError:
            return ""
        lines = written[self._said :].decode(errors="replace").splitlines()
        bad = [said for line in lines for mark in ("[FTL] ", "[ERR] ") if (said := line.partition(mark)[2])]
        return bad[-1][:300] if bad else ""


def find_program() -> Path | None:
    """Return where nats-server is: in the folder of this Python's scripts, where its wheel puts it, or on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / PROGRAM
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(PROGRAM)
    return Path(found).absolute() if found else None


def nats_configuration(port: int, directory: Path) -> str:
    """Return a nats-server configuration: MQTT for everybody on loopback, nothing for anybody over NATS' own protocol.

    Its own listener cannot be turned off. It gets a free port of loopback, and no user may come in there: the only one is
    bound to MQTT, and nobody is told its password. JetStream, where NATS keeps MQTT sessions and retained messages, lies in
    `directory`.
    """
    lines = {
        "server_name": '"archipel"',
        "host": f'"{HOST}"',
        "port": "-1",
        "max_payload": str(PACKET_LIMIT),
        "logfile": _quoted(directory / LOG),
        "logfile_size_limit": str(4 << 20),
        "logfile_max_num": "2",
        "jetstream": f"{{ store_dir: {_quoted(directory / 'store')}, max_memory_store: {64 << 20}, "
        f"max_file_store: {1 << 30} }}",
        "mqtt": f'{{ host: "{HOST}", port: {port}, no_auth_user: "link", max_ack_pending: {UNACKNOWLEDGED} }}',
        "authorization": f'{{ users: [ {{ user: "link", password: "{secrets.token_hex(24)}", '
        f'allowed_connection_types: ["MQTT"] }} ] }}',
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def mosquitto_configuration(port: int, directory: Path, user: str = "") -> str:
    """Return a mosquitto.conf (2.0 and later) for a broker on loopback that serves a fleet.

    Persistence is for retained messages only: sessions are clean. `user` is whom mosquitto becomes when root starts it;
    empty leaves its default.
    """
    lines = [
        f"listener {port} {HOST}",
        "allow_anonymous true",
        f"max_packet_size {PACKET_LIMIT}",
        f"max_inflight_messages {UNACKNOWLEDGED}",
        f"max_queued_messages {QUEUED_MESSAGES}",
        f"max_queued_bytes {QUEUED_BYTES}",
        "set_tcp_nodelay true",
        "persistence true",
        f"persistence_location {directory}/",
        "autosave_interval 60",
        *([f"user {user}"] if user else []),
    ]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)


def _is_taken(url: BrokerUrl) -> bool:
    try:
        socket.create_connection((url.host, url.port), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
