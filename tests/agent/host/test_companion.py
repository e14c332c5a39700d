"""A companion process talks with us by lines and never lives longer than we do."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_agent.host.process import identify
from archipel_agent.host.run import Companion
from archipel_agent.ports import CommandFailed

pytestmark = pytest.mark.real_process

ECHO = "import sys\nfor line in sys.stdin: print('heard', line.strip(), flush=True)"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[str], Companion]:
    """Starts a program of Python."""
    return lambda program: Companion([sys.executable, "-c", program], tmp_path / "log/companion.log")


def said(companion: Companion, count: int) -> list[str]:
    """The next lines it says."""
    lines: list[str] = []
    while len(lines) < count:
        heard = companion.heard()
        assert heard is not None, "it says no more"
        lines += heard
    return lines


def test_lines_go_both_ways(begin: Callable[[str], Companion]) -> None:
    companion = begin(ECHO)
    assert companion.say("one")
    assert companion.say("two")
    assert said(companion, 2) == ["heard one", "heard two"]
    assert companion.end(10) == 0


def test_a_line_is_heard_only_when_it_is_whole(begin: Callable[[str], Companion]) -> None:
    pieces = (
        "import sys, time\nfor piece in ('ha', 'lf\\nand ', 'more\\n'):\n"
        " sys.stdout.write(piece)\n sys.stdout.flush()\n time.sleep(0.1)"
    )
    companion = begin(pieces)
    assert said(companion, 2) == ["half", "and more"]
    assert companion.heard() is None
    companion.end(10)


def test_its_input_ends_when_it_is_let_go_and_it_ends_by_itself(begin: Callable[[str], Companion]) -> None:
    companion = begin(ECHO)
    companion.let_go()
    assert companion.heard() is None
    assert companion.end(10) == 0
    assert not companion.say("too late")


def test_one_that_does_not_end_in_its_time_is_killed(begin: Callable[[str], Companion]) -> None:
    companion = begin(DEAF)
    assert said(companion, 1) == ["up"]
    began = time.monotonic()
    assert companion.end(0.2) == -signal.SIGKILL
    assert time.monotonic() - began < 10
    assert identify(companion.pid) is None


def test_what_it_says_of_errors_stands_in_its_log(begin: Callable[[str], Companion], tmp_path: Path) -> None:
    companion = begin("raise SystemExit('no good')")
    assert companion.heard() is None
    assert companion.end(10) == 1
    assert "no good" in (tmp_path / "log/companion.log").read_text()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="frobnicate cannot be started"):
        Companion(["frobnicate"], tmp_path / "log")
