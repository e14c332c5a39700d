"""Benchmarks that are ended early leave nothing behind: neither what they started nor what that has started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
# A part in a session of its own that goes at once when told, and leaves a part of its own behind that does not.
SCENE = f"""
import subprocess, sys, time
from benchmarks import ending
part = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); time.sleep(600)"
with ending.nothing_is_left(patience=0.5):
    subprocess.Popen([sys.executable, "-c", part], start_new_session=True)
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)
"""

pytestmark = pytest.mark.real_process


def below(pid: int) -> list[psutil.Process]:
    """Every process below this one."""
    return psutil.Process(pid).children(recursive=True)


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait for real processes."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_bench_that_is_ended_takes_children_and_orphans_with_it(number: int) -> None:
    bench = subprocess.Popen([sys.executable, "-c", SCENE], stderr=subprocess.DEVNULL)
    until(lambda: len(below(bench.pid)) == 3 and stubborn(bench.pid), 15)
    parts = below(bench.pid)
    bench.send_signal(number)
    assert bench.wait(15) != 0
    assert not [one for one in parts if one.is_running()]


def stubborn(pid: int) -> bool:
    """Whether a part below ignores SIGTERM already."""
    return any(_ignores(one) for one in below(pid))


def _ignores(process: psutil.Process) -> bool:
    with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
        masks = dict(line.split(":", 1) for line in file)
    return bool(int(masks["SigIgn"], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.prove
def test_a_real_figure_that_is_ended_early_leaves_neither_controller_nor_broker() -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "ingest-rate-plain", "--quick"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ARCHIPEL_BENCH_DIRECTORY": "/tmp"},
    )
    until(lambda: len(below(bench.pid)) >= 2 or bench.poll() is not None, 15)
    parts = below(bench.pid)
    assert len(parts) >= 2
    bench.terminate()
    assert bench.wait(15) == 128 + signal.SIGTERM
    assert not [one for one in parts if one.is_running()]
