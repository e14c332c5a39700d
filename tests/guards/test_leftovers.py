"""The guard against what a test leaves running, and the setting that makes warnings errors."""

import os
import re
import signal

import pytest

from tests.guards.conftest import Guarded

pytestmark = [pytest.mark.real_process, pytest.mark.timeout(60)]


def end_reported(result: pytest.RunResult) -> None:
    """End the processes the inner run was meant to leave behind."""
    for pid in set(re.findall(r"(?:left behind|outlived the test): (\d+) sleep", result.stdout.str())):
        os.kill(int(pid), signal.SIGKILL)


def test_a_task_left_running_fails_the_test_whoever_ran_the_loop(guarded: Guarded) -> None:
    result = guarded(
        """
        import asyncio
        kept = []
        async def leave(): kept.append(asyncio.create_task(asyncio.sleep(60), name="forgotten"))
        async def test_in_the_test_s_loop(): await leave()
        def test_in_a_loop_of_the_code(): asyncio.run(leave())
        async def test_cleans_up():
            await leave()
            kept[-1].cancel()
        """
    )
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["*an asyncio task was left running: forgotten*"])


def test_a_thread_left_running_fails_the_test(guarded: Guarded) -> None:
    result = guarded(
        """
        import threading
        def test_leaves():
            threading.Thread(target=threading.Event().wait, args=(8,), daemon=True, name="forgotten").start()
        def test_waits():
            thread = threading.Thread(target=print)
            thread.start()
            thread.join()
        """
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*a thread was left running: forgotten*"])


def test_children_left_behind_fail_the_test_also_dead_ones(guarded: Guarded) -> None:
    result = guarded(
        """
        import os, pytest
        pytestmark = pytest.mark.real_process
        def test_leaves_a_zombie(): os.posix_spawn("/bin/true", ["true"], {})
        def test_leaves_a_living_one(): os.posix_spawn("/bin/sleep", ["sleep", "10"], {})
        def test_reaps(): os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        """
    )
    end_reported(result)
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["*left behind: * true (zombie)*", "*left behind: * sleep 10*"])


def test_a_process_that_outlives_its_parent_fails_the_test(guarded: Guarded) -> None:
    result = guarded(
        """
        import pytest, subprocess
        @pytest.mark.real_process
        def test_detaches(tmp_path):
            subprocess.run(["sh", "-c", "setsid sleep 10 >/dev/null 2>&1 &"], cwd=tmp_path, check=True)
        """
    )
    end_reported(result)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*a process outlived the test: * sleep 10*"])


def test_a_warning_fails_the_test(guarded: Guarded) -> None:
    result = guarded(
        """
        import gc, pathlib, warnings
        def test_warns(): warnings.warn("old", DeprecationWarning)
        def test_forgets_to_close():
            pathlib.Path("/proc/loadavg").open()
            gc.collect()
        """
    )
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 2


def test_a_test_that_hangs_is_stopped(guarded: Guarded) -> None:
    result = guarded("import time\ndef test_hangs(): time.sleep(30)", "--timeout=1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Timeout (>1.0s) from pytest-timeout*"])
