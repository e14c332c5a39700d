"""The one command: its table, its answers to wrong words, and that it loads only what it runs."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from archipel_contract import __version__, launcher
from archipel_contract.exits import Exit


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main(words) == Exit.OK
    said = capsys.readouterr().out
    for word in launcher.COMMANDS:
        assert f"\n  {word} " in said


def test_help_fits_a_console_of_80_columns() -> None:
    assert max(map(len, launcher.usage().splitlines())) <= 100
    commands = [line for line in launcher.usage().splitlines() if line.startswith("  ")]
    assert max(map(len, commands)) <= 80


def test_the_bare_word_shows_the_help_but_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main([]) == Exit.USAGE
    assert "usage: archipel COMMAND" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main(["--version"]) == Exit.OK
    assert capsys.readouterr().out == f"archipel {__version__}\n"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("stauts", "Did you mean status?"), ("dow", "Did you mean doctor or down?"), ("zz", "See"), ("", "See")],
)
def test_a_wrong_word_is_met_with_near_ones(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main([word]) == Exit.USAGE
    said = capsys.readouterr().err
    assert hint in said
    assert ("Did you mean" in said) == ("Did you mean" in hint)


@pytest.mark.parametrize(("word", "entry"), launcher.COMMANDS.items())
def test_every_command_of_the_table_can_be_run(word: str, entry: tuple[str, str, str]) -> None:
    module, extra, summary = entry
    assert callable(importlib.import_module(module).main)
    assert extra in ("agent", "fleet", "tui")
    assert summary and not summary.endswith(".")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[list[str]], int]], None]:
    """Put a command of one's own into the table, as `archipel mine`."""

    def put(main: Callable[[list[str]], int]) -> None:
        module = ModuleType("a_command_of_the_test")
        module.main = main  # type: ignore[attr-defined]  # a module made here gets what it offers
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(launcher.COMMANDS, "mine", (module.__name__, "agent", "of the test"))

    return put


def test_a_command_gets_its_words_and_its_code_is_the_answer(
    command: Callable[[Callable[[list[str]], int]], None],
) -> None:
    command(lambda words: 42 if words == ["a", "--b"] else 1)
    assert launcher.main(["mine", "a", "--b"]) == 42


def test_ctrl_c_ends_quietly_with_130(command: Callable[[Callable[[list[str]], int]], None]) -> None:
    def interrupted(words: list[str]) -> int:
        raise KeyboardInterrupt

    command(interrupted)
    assert launcher.main(["mine"]) == Exit.INTERRUPTED


def test_a_part_that_is_not_installed_answers_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(launcher.COMMANDS, "mine", ("a_module_nobody_has", "tui", "of the test"))
    assert launcher.main(["mine"]) == Exit.USAGE
    assert "pip install 'archipel[tui]'" in capsys.readouterr().err


@pytest.mark.real_process
def test_a_reader_that_goes_away_is_no_error() -> None:
    script = "import sys; from archipel_contract.launcher import main; sys.exit(main(['why', '--list']))"
    reading = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert reading.stdout is not None and reading.stderr is not None
    reading.stdout.close()
    with reading:
        assert reading.stderr.read() == b""
    assert reading.returncode == Exit.OK


@pytest.mark.real_process
def test_help_loads_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); from archipel_contract.launcher import main; main(['--help']);"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'archipel_contract'}), 'argparse' in new, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[] False\n"
