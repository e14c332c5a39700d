"""The controller's door to processes: kept running, given up when hopeless, and gone when we are gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_fleet.host.process import STARTS, KeptProcess, ProcessFailed

pytestmark = [pytest.mark.real_process]

SLEEPER = "import time\nprint('here', flush=True)\ntime.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def await_true(look: Callable[[], object], seconds: float = 8) -> None:
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "child.log"


def test_a_child_runs_in_a_group_of_its_own_with_a_clean_environment_and_a_log(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "secret")
    child = KeptProcess(python("import os; print(sorted(os.environ), flush=True)\n" + SLEEPER), log)
    child.start()
    try:
        await_true(lambda: "here" in log.read_text())
        pid = child.pid
        assert pid is not None and os.getpgid(pid) == pid != os.getpgrp()
        assert "PATH" in log.read_text() and "KUBECONFIG" not in log.read_text()
        assert child.last_words() == "here"
    finally:
        child.stop()
    assert child.pid is None and not alive(pid)


def test_a_child_that_ends_is_started_again(log: Path) -> None:
    child = KeptProcess(python(SLEEPER), log, first_wait=0.01)
    child.start()
    try:
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await_true(lambda: child.pid not in (None, first))
        assert child.restarts == 1 and child.problem == ""
    finally:
        child.stop()


def test_a_child_that_never_stays_is_given_up_and_its_last_words_are_kept(log: Path) -> None:
    child = KeptProcess(python("print('no disk'); raise SystemExit(3)"), log, first_wait=0.001)
    child.start()
    await_true(lambda: child.problem)
    assert f"{STARTS} times" in child.problem and child.last_words() == "no disk" and child.pid is None
    child.stop()


def test_the_waits_between_starts_grow(log: Path) -> None:
    child = KeptProcess(python("pass"), log, first_wait=0.03)
    began = time.monotonic()
    child.start()
    await_true(lambda: child.problem)
    assert time.monotonic() - began > 0.03 * (1 + 2 + 4 + 8 + 16)
    child.stop()


def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path, log: Path) -> None:
    child = KeptProcess([tmp_path / "absent"], log, first_wait=0.001)
    child.start()
    with pytest.raises(ProcessFailed, match="ended"):
        child.await_ready(lambda: False, 8)
    child.stop()
    with pytest.raises(ProcessFailed, match="cannot be started"):
        KeptProcess(python("pass"), tmp_path).start()  # a directory cannot be a log


def test_waiting_for_a_child_ends_when_it_answers_or_after_its_time(log: Path) -> None:
    child = KeptProcess(python(SLEEPER), log)
    child.start()
    try:
        child.await_ready(lambda: child.last_words() == "here", 8)
        with pytest.raises(ProcessFailed, match="did not answer"):
            child.await_ready(lambda: False, 0.05)
    finally:
        child.stop()


def test_stopping_ends_also_what_the_child_started_and_what_will_not_listen(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archipel_fleet.host.process.GRACE_SECONDS", 0.2)
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "deaf = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'\n"
        "print(subprocess.Popen([sys.executable, '-c', deaf]).pid, flush=True)\n"
        "import time; time.sleep(60)"
    )
    child = KeptProcess(python(code), log)
    child.start()
    await_true(lambda: child.last_words().isdigit())
    grandchild = int(child.last_words())
    child.stop()
    await_true(lambda: not alive(grandchild))


def test_stopping_twice_or_before_the_start_does_no_harm_and_it_can_be_started_again(log: Path) -> None:
    child = KeptProcess(python(SLEEPER), log)
    child.stop()
    for _ in range(2):
        child.start()
        child.start()
        await_true(lambda: child.last_words() == "here")
        child.stop()
        child.stop()
    assert child.pid is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("keep ")]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=lambda sign: sign.name)
def test_the_child_ends_with_us_however_we_end(log: Path, end: signal.Signals) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from archipel_fleet.host.process import KeptProcess\n"
        f"child = KeptProcess([sys.executable, '-c', {SLEEPER!r}], Path({str(log)!r}))\n"
        "child.start()\n"
        "child.await_ready(lambda: child.last_words() == 'here', 8)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(python(code), stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(end)
    await_true(lambda: not alive(pid))


def test_the_child_outlives_the_thread_that_asked_for_it(log: Path) -> None:
    # The kernel's "parent" is a thread; were it the one that called start, the child would end with it.
    child = KeptProcess(python(SLEEPER), log)
    asking = threading.Thread(target=child.start)
    asking.start()
    asking.join()
    try:
        await_true(lambda: child.last_words() == "here")
        time.sleep(0.2)
        assert child.pid is not None and child.restarts == 0
    finally:
        child.stop()
