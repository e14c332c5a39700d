"""The guard against calls of ours that block the event loop."""

from pathlib import Path

import pytest

from tests.guards.blocking import answered_from_memory
from tests.guards.conftest import Guarded

# Stands in for a module of ours: what counts is that the caller's file lies inside one of the four packages.
OURS = """
import asyncio, time, pathlib, pytest
import archipel_agent
def ours(source, **names):
    place = archipel_agent.__path__[0] + "/not_there.py"
    names.update(time=time, pathlib=pathlib)
    exec(compile("def act():\\n    return " + source, place, "exec"), names)
    return names["act"]
"""


@pytest.mark.real_process
@pytest.mark.timeout(60)
def test_sleeping_or_reading_the_disk_in_the_loop_fails_the_test(guarded: Guarded) -> None:
    result = guarded(
        OURS
        + """
async def test_sleeps(): ours("time.sleep(0.001)")()
async def test_reads(tmp_path):
    (tmp_path / "file").write_text("x")
    ours("open(path).read()", path=tmp_path / "file")()
async def test_swallows():
    try: ours("time.sleep(0.001)")()
    except Exception: pass
"""
    )
    assert result.parseoutcomes()["errors"] == 3
    result.stdout.fnmatch_lines(["*the event loop was blocked by time.sleep*"])


@pytest.mark.real_process
@pytest.mark.timeout(60)
def test_the_kernel_s_own_files_threads_and_code_of_others_are_let_pass(guarded: Guarded) -> None:
    result = guarded(
        OURS
        + """
async def test_proc(): assert ours("pathlib.Path('/proc/loadavg').read_text()")()
async def test_proc_by_bytes(): assert ours("pathlib.Path('/proc/loadavg').read_bytes()")()
async def test_in_a_thread(): await asyncio.to_thread(ours("time.sleep(0.001)"))
async def test_the_test_itself(): time.sleep(0.001)
def test_outside_a_loop(): ours("time.sleep(0.001)")()
"""
    )
    result.assert_outcomes(passed=5)


def test_only_paths_below_proc_and_sys_count_as_answered_from_memory() -> None:
    with Path("/proc/stat").open() as kernel, Path(__file__).open() as disk:
        assert answered_from_memory(kernel) and answered_from_memory(kernel.fileno())
        assert not answered_from_memory(disk) and not answered_from_memory(disk.fileno())
    assert answered_from_memory("/sys/class/net") and answered_from_memory(Path("/proc"))
    assert not answered_from_memory("/process") and not answered_from_memory(None)
