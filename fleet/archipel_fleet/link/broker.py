"""The embedded broker: nats-server with its MQTT listener, set up, started and kept running by us.

`serve` starts one where the settings name no broker of somebody else's: with certificates on both sides when it is given a
`BrokerAccess`, else for everybody on loopback (rehearsal and tests). Nothing of value is in it: its whole directory may be
deleted while it is stopped.
"""

import os
import shutil
import socket
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from archipel_contract.link.broker_url import TLS, BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_fleet.host.files import make_private, write_private
from archipel_fleet.host.process import KeptProcess, ProcessFailed
from archipel_fleet.link import broker_guest, broker_nats
from archipel_fleet.link.broker_access import BrokerAccess

PROGRAM = "nats-server"
HOST = "127.0.0.1"
START_SECONDS = 15.0
ANSWER_SECONDS = 2.0
RELOAD_SECONDS = 15.0  # ten thousand users take half a second of one core
CHECK_ID = "archipel-broker-check"
RELOADED = "Reloaded server configuration"
NOT_RELOADED = "Failed to reload server configuration"


class BrokerFailed(Exception):
    """The embedded broker does not run; `code` is the finding: fleet-broker-missing, fleet-broker-failed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class EmbeddedBroker:
    """One nats-server with its files in one directory."""

    def __init__(
        self, directory: Path, port: int, program: Path | None = None, *, access: BrokerAccess | None = None
    ) -> None:
        """Nothing is started yet; `program` is looked for beside Python, then on PATH, unless it is given.

        With `access` it asks for certificates and listens where that says; `port` then counts for nothing.
        """
        self._directory = directory
        self._access = access
        self._program = program
        self._kept: KeptProcess | None = None
        self._said = 0  # bytes of its log from before this start
        self._taken: Mapping[str, tuple[str, ...]] = {}
        self.url = _url(access, port)

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

    @property
    def devices(self) -> Mapping[str, tuple[str, ...]]:
        """Whom it lets in, as BrokerAccess names them: by what it was started with or has taken since."""
        return self._taken

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
            self._said = self._log_size()
            configuration = self._write()
            self._taken = {} if self._access is None else self._access.devices
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

    def renew(self, access: BrokerAccess) -> None:
        """Show another certificate from now on: the server is started anew, and everybody connects again. Raises
        BrokerFailed.
        """
        self.stop()
        self._access = access
        self.start()

    def reload(self, access: BrokerAccess) -> None:
        """Let in exactly whom `access` names, from now on: a new device can connect, a revoked one is cut off at once, all
        others stay connected. Raises BrokerFailed; then the former rule goes on.

        Address and certificate of the broker are those of its start.
        """
        if self._access is None or self._kept is None:
            raise BrokerFailed("fleet-broker-failed", "a broker without certificates has nobody to let in")
        said, self._access = self._log_size(), access
        try:
            write_private(self._directory / broker_nats.USERS, broker_nats.users(access))
            self._kept.hang_up(lambda: bool(self._lines(said, RELOADED, NOT_RELOADED)), RELOAD_SECONDS)
        except (OSError, ProcessFailed) as error:
            raise BrokerFailed("fleet-broker-failed", f"it did not take new rules: {error}") from error
        refused = self._lines(said, NOT_RELOADED)
        if refused:
            raise BrokerFailed("fleet-broker-failed", f"it did not take new rules: {refused[-1]}")
        self._taken = access.devices

    def answers(self) -> bool:
        """Whether it takes an MQTT connection within ANSWER_SECONDS; with certificates: whether it shows its own and asks
        for ours."""
        access = self._access
        if access is None:
            carrier = MqttCarrier(self.url, CHECK_ID)
        else:
            carrier = MqttCarrier(
                self.url, CHECK_ID, tls=lambda: broker_guest.anonymous(access.tls.authority)
            )
        try:
            carrier.open(timeout=ANSWER_SECONDS)
        except CarrierFailed as failed:
            return access is not None and failed.code == "link-tls-refused"
        carrier.close()
        return True

    def _write(self) -> Path:
        """Write what it reads and return its configuration; raises OSError."""
        configuration = self._directory / broker_nats.CONFIGURATION
        if self._access is None:
            write_private(configuration, broker_nats.plain(self.url.port, self._directory))
            return configuration
        for name, content in self._access.files().items():
            write_private(self._directory / name, content.decode())
        write_private(self._directory / broker_nats.USERS, broker_nats.users(self._access))
        write_private(configuration, broker_nats.guarded(self._access, self._directory))
        return configuration

    def _log_size(self) -> int:
        log = self._directory / broker_nats.LOG
        return log.stat().st_size if log.exists() else 0

    def _lines(self, since: int, *marks: str) -> list[str]:
        """Lines of its log with one of `marks`, from byte `since` on; of all of it if it was begun anew meanwhile."""
        try:
            with (self._directory / broker_nats.LOG).open("rb") as log:
                log.seek(since if log.seek(0, os.SEEK_END) >= since else 0)
                fresh = log.read()
        except OSError:
            return []
        lines = fresh.decode(errors="replace").splitlines()
        return [line for line in lines if any(mark in line for mark in marks)]

    def _complaint(self) -> str:
        """The last error in its own log; what kept it from starting."""
        marks = ("[FTL] ", "[ERR] ")
        bad = [
            said
            for line in self._lines(self._said, *marks)
            for mark in marks
            if (said := line.partition(mark)[2])
        ]
        return bad[-1][:300] if bad else ""


def find_program() -> Path | None:
    """Return where nats-server is: in the folder of this Python's scripts, where its wheel puts it, or on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / PROGRAM
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(PROGRAM)
    return Path(found).absolute() if found else None


def configured_port(directory: Path) -> int | None:
    """Return the port at which the broker with its files in `directory` takes MQTT, or last did; None if there never was
    one. For whoever was not told how the controller was started.
    """
    try:
        text = (directory / broker_nats.CONFIGURATION).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    found = broker_nats.PORT_OF_MQTT.search(text)
    return int(found[1]) if found else None


def _url(access: BrokerAccess | None, port: int) -> BrokerUrl:
    """Return where we ourselves find it: on this machine, wherever else it listens."""
    if access is None:
        return BrokerUrl(HOST, port)
    everywhere = access.host in ("0.0.0.0", "::", "")
    return BrokerUrl(HOST if everywhere else access.host, access.port, scheme=TLS)


def _is_taken(url: BrokerUrl) -> bool:
    try:
        socket.create_connection((url.host, url.port), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
