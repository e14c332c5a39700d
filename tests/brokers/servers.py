"""Real brokers for tests, benchmarks and the demo: on a free port of loopback, to be stopped, killed, paused, started again.

Set up with the configuration the fleet generates, so that what is tested is what is used. The fixtures that hand them to
tests are in `tests.brokers.fixtures`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_fleet.link import broker_mosquitto, broker_nats
from archipel_fleet.link.broker import find_program

START_SECONDS = 15.0
MOSQUITTO = "/usr/sbin/mosquitto"  # Debian's place, which is on no ordinary user's PATH


class RealBroker:
    """A broker's process with its port and its files; the files and the port stay the same over restarts."""

    name = ""

    def __init__(self, directory: Path, port: int | None = None, extra: str = "") -> None:
        """`extra` is added to the configuration."""
        self.directory = directory / self.name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port if port is not None else free_port()
        self.url = BrokerUrl("127.0.0.1", self.port)
        self.log = self.directory / "broker.log"
        self.configuration = self.directory / "broker.conf"
        self.configuration.write_text(self.configured() + extra)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str:
        """Why this broker cannot be started here; empty if it can."""
        return "" if cls.program() else f"{cls.name} is not installed"

    @classmethod
    def program(cls) -> Path | None:
        """Where its program is."""
        raise NotImplementedError

    def configured(self) -> str:
        """Its configuration."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What its environment has beside ours."""
        return {}

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it and return when it takes connections."""
        program = self.program()
        assert program is not None and self._process is None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(program), "-c", str(self.configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        try:
            await_true(self._answers, START_SECONDS, lambda: f"{self.name} does not answer: {self.said()}")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order, if it runs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it on the same port with the same files."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it answer nothing, while the kernel keeps its connections open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def memory(self) -> int:
        """Its resident memory in KiB."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def carrier(self, client_id: str, manual_ack: bool = False, keepalive: int = 60) -> MqttCarrier:
        """A carrier to it, not yet open."""
        return MqttCarrier(self.url, client_id, manual_ack=manual_ack, keepalive=keepalive)

    def _answers(self) -> bool:
        assert self._process is None or self._process.poll() is None, f"{self.name} ended: {self.said()}"
        carrier = self._probe()
        try:
            carrier.open(timeout=2)
        except CarrierFailed:
            return False
        carrier.close()
        return True

    def _probe(self) -> MqttCarrier:
        return MqttCarrier(self.url, "is-it-there")

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sign)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)  # a paused one would not notice
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class MosquittoBroker(RealBroker):
    """mosquitto as Debian has it, with the configuration that the fleet recommends."""

    name = "mosquitto"

    @classmethod
    def program(cls) -> Path | None:
        """On PATH or in Debian's place."""
        found = shutil.which(cls.name) or (MOSQUITTO if os.access(MOSQUITTO, os.X_OK) else None)
        return Path(found) if found else None

    def configured(self) -> str:
        """As for an external broker; as root it would give up the rights to our directory."""
        user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else ""
        return broker_mosquitto.plain(self.port, self.directory, user)


class NatsBroker(RealBroker):
    """nats-server as the controller embeds it."""

    name = "nats"

    @classmethod
    def program(cls) -> Path | None:
        """Where the controller finds it."""
        return find_program()

    def configured(self) -> str:
        """As the controller writes it, but for the log, which goes where ours looks."""
        text = broker_nats.plain(self.port, self.directory)
        return "".join(line for line in text.splitlines(True) if not line.startswith("logfile"))


BROKERS: tuple[type[RealBroker], ...] = (MosquittoBroker, NatsBroker)


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def await_true(look: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    """Return once `look` says True; fail with `why` after `seconds`. Real parts tell nobody when they are done."""
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until, why()
        time.sleep(0.01)
