"""The program on a pseudo-terminal: keys, noise, signals, hang-up, what it sends and what it costs."""

import re
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from archipel_contract.exits import Exit
from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.on_terminal import COMMAND, run

pytestmark = [pytest.mark.real_process, pytest.mark.timeout(60)]

MIB = 1 << 20
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|38|48)(?:;[0-9;]*)?m")
EMULATORS_ONLY = (b"?1004", b"?2004", b"?2026", b"?2048", b"?1049", b"?1000", b"?1003", b"?1006", b"u\x1b")


@pytest.mark.parametrize("term", ["xterm-256color", "linux", "tmux-256color", "vt220"])
def test_home_is_shown_keys_work_and_leaving_restores_the_terminal(agent: FakeAgent, term: str) -> None:
    with run("--socket", str(agent.path), term=term) as terminal:
        if term == "vt220":
            terminal.until("basic")
            terminal.type("2\r")
        terminal.until("+ Healthy")
        terminal.type("2")
        terminal.until("What was found")
        terminal.type(b"\x1b[B")
        terminal.until(">x Power supply")
        terminal.type(b"\x1b[[A" if term == "linux" else b"\x1bOP")  # F1, as each of them sends it
        terminal.until("Keys that work everywhere")
        terminal.type(b"\x1b")
        terminal.until("What was found")
        terminal.type("q")
        assert terminal.end() == Exit.OK


@pytest.mark.parametrize(
    "noise", [b"\x9b", b"\xff\xfe\x80", b"\xe4\xf6\xfc", bytes(range(0x80, 0x100)), b"\x1b[\xff"]
)
def test_noise_on_the_line_does_not_end_the_program(agent: FakeAgent, noise: bytes) -> None:
    with run("--socket", str(agent.path)) as terminal:
        terminal.until("+ Healthy")
        terminal.type(noise)
        terminal.read(0.4)
        terminal.type("2")
        terminal.until("What was found")
        terminal.type("q")
        assert terminal.end() == Exit.OK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_terminal_restored(agent: FakeAgent, number: signal.Signals) -> None:
    with run("--socket", str(agent.path), term="linux") as terminal:
        terminal.until("+ Healthy")
        terminal.process.send_signal(number)
        assert terminal.end() == Exit.OK
        assert terminal.text().strip() == ""
        assert b"\x1b[?25h" in terminal.sent[-80:]  # the cursor is back


def test_a_line_that_is_hung_up_ends_it(agent: FakeAgent) -> None:
    with run("--socket", str(agent.path)) as terminal:
        terminal.until("+ Healthy")
        terminal.hang_up()
        terminal.process.wait(15)  # raises when it does not end; nobody is left to read its exit code


def test_a_signal_while_the_agent_is_away_ends_it_too(agent: FakeAgent) -> None:
    agent.leave()
    with run("--socket", str(agent.path)) as terminal:
        terminal.until("does not answer")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == Exit.OK


def test_a_terminal_that_tells_no_size_gets_80_by_24(agent: FakeAgent) -> None:
    with run("--socket", str(agent.path), size=(0, 0)) as terminal:
        text = terminal.until("+ Healthy")
        assert "Leave" in text.splitlines()[23]


def test_a_serial_line_is_asked_and_gets_ascii_without_colour_and_only_what_it_knows(
    agent: FakeAgent,
) -> None:
    agent.push(replace(scenes.sick(), rehearsed=True))
    with run("--socket", str(agent.path), "--lang", "de", term="vt100") as terminal:
        terminal.until("1 = einfach")
        terminal.type("\r")
        text = terminal.until("x 2 Probleme")
        assert "Dieses Geraet" in text
        terminal.type("2")
        terminal.until("Administratorrechte")
        terminal.type("q")
        terminal.end()
        assert not COLOUR.search(terminal.sent)
        assert terminal.sent.isascii()
        assert [piece for piece in EMULATORS_ONLY if piece in terminal.sent] == []


def test_no_color_is_obeyed_and_so_is_mono(agent: FakeAgent) -> None:
    with run("--socket", str(agent.path), "--mono") as terminal:
        terminal.until("+ Healthy")
        assert not COLOUR.search(terminal.sent)
    with run("--socket", str(agent.path), NO_COLOR="1") as terminal:
        terminal.until("+ Healthy")
        assert not COLOUR.search(terminal.sent)
    with run("--socket", str(agent.path)) as terminal:
        terminal.until("+ Healthy")
        assert COLOUR.search(terminal.sent)


def test_the_first_paint_is_soon_small_and_the_program_light(agent: FakeAgent) -> None:
    began = time.monotonic()
    with run("--socket", str(agent.path), term="linux") as terminal:
        terminal.until("edge-07")
        soon = time.monotonic() - began
        terminal.until("+ Healthy")
        terminal.read(0.5)
        assert soon < 4.0  # the published figure is in the benchmarks; this one must hold on a loaded machine
        assert len(terminal.sent) < 8_000
        assert terminal.memory() < 45 * MIB


def test_nothing_is_sent_while_nothing_changes_and_little_when_one_figure_does(agent: FakeAgent) -> None:
    with run("--socket", str(agent.path), term="linux") as terminal:
        terminal.until("+ Healthy")
        quiet = 0
        for _ in range(3):  # the minute may change once
            terminal.read(0.5)
            for second in range(5):
                agent.push(replace(scenes.healthy(), at=f"2026-01-02T03:04:0{second}Z"))
            quiet = len(terminal.read(1.0))
            if quiet == 0:
                break
        assert quiet == 0
        good = scenes.healthy()
        usage = replace(good.node.usage, cpu_percent=77.0)
        agent.push(replace(good, node=replace(good.node, usage=usage)))
        assert 0 < len(terminal.read(1.0)) < 400


def test_redraw_paints_over_what_the_kernel_wrote_on_the_screen(agent: FakeAgent) -> None:
    with run("--socket", str(agent.path), term="linux") as terminal:
        terminal.until("+ Healthy")
        terminal._stream.feed(b"\x1b[10;1Hkernel: something loud happened\r\n")
        assert "something loud" in terminal.text()
        terminal.type(b"\x0c")
        terminal.read(0.5)
        assert "something loud" not in terminal.text()
        assert "+ Healthy" in terminal.text()


def test_without_a_terminal_it_says_what_to_use_instead(agent: FakeAgent) -> None:
    ended = subprocess.run(
        [*COMMAND, "--socket", str(agent.path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == Exit.USAGE
    assert "archipel status" in ended.stderr


def test_help_teaches_and_is_quick(agent: FakeAgent) -> None:
    ended = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for word in ("--socket", "--lang", "--mono", "--plain", "F9", "examples:", "exit codes:"):
        assert word in ended.stdout


def test_a_small_or_dumb_terminal_gets_the_plain_menu(agent: FakeAgent) -> None:
    for term, size in (("dumb", (80, 24)), ("xterm", (40, 12))):
        with run("--socket", str(agent.path), term=term, size=size) as terminal:
            terminal.until("Number and Enter")
            terminal.type("q\r")
            assert terminal.end() == Exit.OK
            assert b"\x1b" not in terminal.sent
