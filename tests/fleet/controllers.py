"""Real controllers as processes, for tests: started with the words of the command line, asked over HTTP, and ended."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.brokers.servers import await_true, free_port

START_SECONDS = 60.0  # a machine that runs all tests at once is slow
COMMAND = [sys.executable, "-m", "archipel_contract.launcher", "fleet", "serve"]


class RealController:
    """One process of `archipel fleet serve` with its data directory."""

    def __init__(self, directory: Path, *words: str, broker: str = "") -> None:
        """Nothing is started yet; without `broker` it starts its own on a free port, without certificates."""
        self.data = directory / "data"
        self.broker_port, self.enrol_port = free_port(), 0
        where = (
            ["--broker", broker]
            if broker
            else ["--broker-port", str(self.broker_port), "--security", "loopback"]
        )
        self.words = ["--data", str(self.data), "--listen", "127.0.0.1:0", *where, *words]
        self.log = directory / "controller.log"
        self.output = directory / "controller.out"
        self.process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self) -> None:
        """Start it and return when it says that it is ready."""
        with self.log.open("ab") as log, self.output.open("wb") as output:
            self.process = subprocess.Popen([*COMMAND, *self.words], stdout=output, stderr=log)
        process = self.process
        await_true(
            lambda: "controller ready: " in self.said() or process.poll() is not None,
            START_SECONDS,
            self.logged,
        )
        assert process.poll() is None, self.logged()
        ready = next(line for line in self.said().splitlines() if line.startswith("controller ready: "))
        self.address = ready.partition("http://")[2]

    def said(self) -> str:
        """Its standard output."""
        return self.output.read_text()

    def logged(self) -> str:
        """Its standard error."""
        return self.log.read_text()

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(sign)
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def ask(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """Ask its API; return status and JSON (or text). The token of its data directory unless another is given."""
        connection = http.client.HTTPConnection(self.address, timeout=10)
        used = token if token is not None else (self.data / "cli.token").read_text().strip()
        connection.request("GET", path, headers={"Authorization": f"Bearer {used}"} if used else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(body) if is_json else body.decode()

    def findings(self) -> list[str]:
        """The codes of what it says is wrong with itself."""
        return [one["code"] for one in self.ask("/api/v1/controller")[1]["findings"]]

    def measured(self, name: str) -> float:
        """Return the sum of a counter over its labels."""
        lines = [line.split(" ") for line in self.ask("/metrics")[1].splitlines() if line.startswith(name)]
        return sum(float(line[-1]) for line in lines if line[0].partition("{")[0] == name)

    def await_measured(self, name: str, least: float, seconds: float = 30.0) -> None:
        """Return once a counter has reached `least`."""
        await_true(lambda: self.measured(name) >= least, seconds, lambda: f"{name}: {self.logged()}")


@contextmanager
def running(directory: Path, *words: str, broker: str = "") -> Generator[RealController, None, None]:
    """Give a controller that is ready."""
    made = RealController(directory, *words, broker=broker)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def refused(directory: Path, *words: str, broker: str = "") -> tuple[int, str]:
    """Start one that should not start; return its exit code and what it said."""
    made = RealController(directory, *words, broker=broker)
    done = subprocess.run(
        [*COMMAND, *made.words], capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    return done.returncode, done.stdout + done.stderr
