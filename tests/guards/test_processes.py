"""The guard against processes started outside the one door."""

import pytest

from tests.guards.conftest import Guarded

pytestmark = [pytest.mark.real_process, pytest.mark.timeout(60)]


def test_a_process_started_outside_the_door_fails_the_test_by_every_way_in(guarded: Guarded) -> None:
    result = guarded(
        """
        import os, pty, subprocess
        def test_popen(): subprocess.run(["true"])
        def test_spawn(): os.posix_spawn("/bin/true", ["true"], {})
        def test_system(): os.system("true")
        def test_fork():
            if os.fork() == 0: os._exit(0)
        """
    )
    result.assert_outcomes(failed=4, errors=4)
    result.stdout.fnmatch_lines(
        ["*outside the one door: subprocess.Popen*", "*outside the one door: os.system*"]
    )


def test_code_that_swallows_the_error_fails_all_the_same(guarded: Guarded) -> None:
    result = guarded(
        """
        import subprocess
        def test_swallows():
            try: subprocess.run(["true"])
            except BaseException: pass
        """
    )
    result.assert_outcomes(passed=1, errors=1)


def test_the_door_and_a_marked_test_may_start_processes(guarded: Guarded, pytester: pytest.Pytester) -> None:
    door = pytester.mkpydir("archipel_agent").joinpath("host")
    door.mkdir()
    door.joinpath("run.py").write_text(
        "import subprocess\ndef go(): return subprocess.run(['true']).returncode\n"
    )
    result = guarded(
        """
        import importlib.util, pytest, subprocess
        spec = importlib.util.spec_from_file_location("door", "archipel_agent/host/run.py")
        door = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(door)
        def test_door(): assert door.go() == 0
        @pytest.mark.real_process
        def test_marked(): assert subprocess.run(["true"]).returncode == 0
        """
    )
    result.assert_outcomes(passed=2)
