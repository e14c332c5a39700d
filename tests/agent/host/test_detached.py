"""A process that outlives us is known by pid and start time before anybody can look for it."""

import os
import signal
from pathlib import Path

import pytest

from archipel_agent.host.process import end, identify
from archipel_agent.host.run import spawn_detached

pytestmark = pytest.mark.real_process


def test_the_record_names_the_very_process_as_soon_as_the_call_returns(tmp_path: Path) -> None:
    record = tmp_path / "k3s.pid"
    for _ in range(5):
        pid = spawn_detached(["sleep", "60"], tmp_path / "log", record=record)
        known = identify(pid)
        assert known is not None
        assert record.read_text().split() == [str(known.pid), str(known.start_ticks)]
        assert end(known, 5.0)


def test_it_is_the_program_itself_that_was_recorded_and_its_output_is_kept(tmp_path: Path) -> None:
    record, log = tmp_path / "k3s.pid", tmp_path / "log"
    pid = spawn_detached(["sh", "-c", "echo begun; exec sleep 60"], log, record=record)
    try:
        while "begun" not in log.read_text():
            os.sched_yield()
        assert Path(f"/proc/{pid}/comm").read_text().strip() in ("sh", "sleep")
        assert os.getsid(pid) != os.getsid(0)
    finally:
        os.kill(pid, signal.SIGKILL)
