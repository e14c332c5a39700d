"""The one place of the test ground that starts processes.

Called by every other module of `tests.hosts`. It knows nothing of hosts: argument lists in, return code and
text out. It never goes through a shell of its own and never leaves a process behind after a timeout.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class CommandFailed(RuntimeError):
    """A command that had to succeed did not; the text carries the command, its code and the end of its
    output."""


class NotInTime(TimeoutError):
    """A command was killed after its time; `said` is the end of what it had written."""

    def __init__(self, argv: Sequence[str], timeout: float, said: str) -> None:
        super().__init__(f"{' '.join(argv)[:600]}: not done after {timeout:g} s; it said: {said}")
        self.said = said


@dataclass(frozen=True)
class Completed:
    """What one finished command left: `rc` is negative for a signal, the texts are decoded as UTF-8 with
    replacement."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str

    def ok(self) -> "Completed":
        """The same result, or `CommandFailed` where the return code is not 0."""
        if self.rc != 0:
            tail = (self.stderr.strip() or self.stdout.strip())[-2000:]
            raise CommandFailed(f"{' '.join(self.argv)[:600]}: exit code {self.rc}\n{tail}")
        return self


def run(
    argv: Sequence[str],
    *,
    timeout: float = 60.0,
    env: Mapping[str, str] | None = None,
    stdin: bytes | Path | None = None,
    cwd: Path | None = None,
) -> Completed:
    """Run to the end; after `timeout` seconds the whole process group is killed and `NotInTime` is raised.

    `stdin` is the bytes to feed or a file to read from; nothing otherwise.
    """
    fed = stdin if isinstance(stdin, bytes) else None
    with open(stdin if isinstance(stdin, Path) else os.devnull, "rb") as source:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if fed is not None else source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    try:
        out, err = process.communicate(fed, timeout=timeout)
    except BaseException as trouble:
        kill_group(process.pid)
        out, err = process.communicate()
        if isinstance(trouble, subprocess.TimeoutExpired):
            said = (err or out).decode(errors="replace").strip()[-1500:]
            raise NotInTime(argv, timeout, said) from None
        raise
    return Completed(
        tuple(argv), process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
    )


class Spawned:
    """A process that runs beside the test, in a process group of its own, its output in a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path | None) -> None:
        self._process = process
        self._output = output

    @property
    def pid(self) -> int:
        """The process id as this machine sees it."""
        return self._process.pid

    @property
    def rc(self) -> int | None:
        """The return code, or None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """All it has written so far (both streams)."""
        return self._output.read_text(errors="replace") if self._output and self._output.exists() else ""

    def wait(self, timeout: float) -> int:
        """Its return code; `TimeoutError` after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self._process.args!r}: still running after {timeout:g} s") from None

    def signal(self, number: int) -> None:
        """Send a signal to the process alone; silent when it is gone."""
        self._process.send_signal(number)

    def close_stdin(self) -> None:
        """End its input, which is how the keepers of this package are told to finish."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self, grace: float = 2.0) -> int:
        """End input, SIGTERM, then SIGKILL for the group after `grace` seconds; returns the code."""
        self.close_stdin()
        if self.rc is None:
            self._process.terminate()
            try:
                return self._process.wait(grace)
            except subprocess.TimeoutExpired:
                kill_group(self._process.pid)
        return self._process.wait()


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
    hold_stdin: bool = False,
) -> Spawned:
    """Start and return at once. With `hold_stdin` the child's input stays open until we close it or die."""
    with open(output or os.devnull, "ab") as sink:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if hold_stdin else subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
    return Spawned(process, output)


def attach(argv: Sequence[str]) -> int:
    """Run on the caller's own terminal and return the code (for the command line and the demo)."""
    return subprocess.call(list(argv))


def kill_group(pid: int) -> None:
    """SIGKILL to the process group `pid`; silent when it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
