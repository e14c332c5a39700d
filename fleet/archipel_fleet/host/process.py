"""The controller's one door to processes: a child that is kept running, and that ends with us.

`link/broker` runs the embedded broker through it. A child gets an argument list, a clean environment, a process group and a
log file of its own. Whatever ends the controller, `kill -9` included, ends the child: the kernel sends it SIGTERM when the
thread that started it is gone (PR_SET_PDEATHSIG, prctl(2)), and that thread lives as long as the child is kept.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL
FIRST_WAIT = 0.2  # seconds before the first new start; doubled each time
LONGEST_WAIT = 5.0
STABLE_SECONDS = 60.0  # a child that ran this long starts counting anew
STARTS = 6  # in a row without becoming stable; then it is given up
POLL_SECONDS = 0.01
INHERITED = ("HOME", "TMPDIR")

# Becomes the program, after asking the kernel for SIGTERM (15) at our end. Where we are gone by then, it does not start at
# all. A function between fork and exec would do the same, but may deadlock in a process with threads.
BIND_TO_PARENT = (
    "import ctypes, os, sys\n"
    "if ctypes.CDLL(None, use_errno=True).prctl(1, 15) or os.getppid() != int(sys.argv[1]): sys.exit(113)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


class ProcessFailed(Exception):
    """A child cannot be started or does not stay; the message says what it said last."""


class KeptProcess:
    """One program that is started again when it ends, with growing waits, until it is stopped or given up."""

    def __init__(self, argv: Sequence[str | Path], log: Path, first_wait: float = FIRST_WAIT) -> None:
        """`argv[0]` is an absolute path; standard output and error go to `log`, which each start begins anew."""
        self._argv = [str(word) for word in argv]
        self._log = log
        self._first_wait = first_wait
        self._process: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._asked = -1  # becomes readable when `stop` was called
        self._keeper: threading.Thread | None = None
        self._problem = ""
        self._said_before = ""
        self._starts = 0

    @property
    def pid(self) -> int | None:
        """The running child; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def restarts(self) -> int:
        """How often it was started again since `start`."""
        return max(0, self._starts - 1)

    @property
    def problem(self) -> str:
        """Why it was given up; empty while it is kept."""
        return self._problem

    def start(self) -> None:
        """Start it and keep it; returns when the first start was tried. Raises ProcessFailed when that is impossible."""
        if self._keeper is not None:
            return
        self._stopping.clear()
        self._started.clear()
        self._asked = os.eventfd(0, os.EFD_CLOEXEC)
        self._problem, self._starts = "", 0
        self._keeper = threading.Thread(
            target=self._keep, name=f"keep {Path(self._argv[0]).name}", daemon=True
        )
        self._keeper.start()
        self._started.wait()
        if self._problem:
            self.stop()
            raise ProcessFailed(self._problem)

    def await_ready(self, answers: Callable[[], bool], within: float) -> None:
        """Return once `answers` says True; raise ProcessFailed when it ends before, or after `within` seconds."""
        until = time.monotonic() + within
        while not answers():
            if self._problem or self.restarts:
                raise ProcessFailed(self._problem or f"it ended: {self.last_words() or 'without a word'}")
            if time.monotonic() >= until:
                raise ProcessFailed(f"it did not answer within {within:g} s")
            time.sleep(POLL_SECONDS)

    def hang_up(self, heeded: Callable[[], bool], within: float) -> None:
        """Have it read its files again (SIGHUP), and return once `heeded` says True; raise ProcessFailed after `within`
        seconds. While it does not run nothing happens: it reads them at its start."""
        process = self._process
        if process is None or self.pid is None:
            return
        # Its own process and not its group; until its keeper has waited for it its id is nobody else's.
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGHUP)
        until = time.monotonic() + within
        while self.pid == process.pid and not heeded():
            if time.monotonic() >= until:
                raise ProcessFailed(f"it did not answer within {within:g} s")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End it and all it started: SIGTERM, a grace, SIGKILL. Returns when it is gone; nothing happens if it is."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            self._stopping.set()
            os.eventfd_write(self._asked, 1)
            keeper.join()
            os.close(self._asked)

    def last_words(self) -> str:
        """Return the last line it wrote, at most 300 characters; of the run before while this one said nothing."""
        try:
            with self._log.open("rb") as said:
                said.seek(max(0, said.seek(0, os.SEEK_END) - 4096))
                lines = said.read().decode(errors="replace").split("\n")
        except OSError:
            return self._said_before
        return next((line.strip()[-300:] for line in reversed(lines) if line.strip()), self._said_before)

    def _keep(self) -> None:
        """The keeper's life: start, wait, start again."""
        wait, starts = self._first_wait, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._process = self._spawn()
            except OSError as error:
                self._problem = f"{self._argv[0]} cannot be started: {error.strerror or error}"
                self._started.set()
                return
            self._starts += 1
            self._started.set()
            self._await_end(self._process)
            self._said_before = self.last_words()
            if time.monotonic() - began >= STABLE_SECONDS:
                wait, starts = self._first_wait, 0
            starts += 1
            if starts >= STARTS and not self._stopping.is_set():
                self._problem = f"{Path(self._argv[0]).name} ended {starts} times in a row"
                return
            self._stopping.wait(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def _await_end(self, process: "subprocess.Popen[bytes]") -> None:
        """Return when the child and its group are gone, of themselves or because `stop` asked."""
        gone = os.pidfd_open(process.pid)
        try:
            _await_readable(gone, self._asked)
            if self._stopping.is_set():
                _signal_group(process.pid, signal.SIGTERM)
                _await_readable(gone, within=GRACE_SECONDS)
            # Also when it ended by itself: what it started must not outlive it. Until `wait` its id is not given away.
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        finally:
            os.close(gone)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BIND_TO_PARENT, str(os.getpid()), *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
                process_group=0,
            )


def _await_readable(*descriptors: int, within: float | None = None) -> None:
    # poll rather than select, which fails for descriptors above 1023: a controller has that many.
    waiting = select.poll()
    for one in descriptors:
        waiting.register(one, select.POLLIN)
    waiting.poll(None if within is None else within * 1000)


def clean_environment() -> dict[str, str]:
    """Return the environment a child gets: PATH, a UTF-8 locale, and the few inherited names."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **kept}


def _signal_group(group: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)
