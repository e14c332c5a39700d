"""Completion scripts, help texts, and how quickly the command answers."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archipel_agent.cli.completion import parsers
from archipel_contract.exits import Exit
from archipel_contract.launcher import COMMANDS
from tests.agent.cli.conftest import Archipel

# A client of the socket starts on every status of a monitoring script; none of these belongs on its way.
HEAVY = ("pydantic", "psutil", "asyncio", "textual", "sqlite3", "subprocess")


@pytest.mark.real_process
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_completion_script_is_one_the_shell_can_read(
    archipel: Archipel, tmp_path: Path, shell: str
) -> None:
    said = archipel("completion", shell)
    assert said.code == Exit.OK
    for word in ("archipel", "kubeconfig", "--node-name", "--agent-only", "reset-state"):
        assert word in said.out.replace("_", "-")
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    script = tmp_path / "script"
    script.write_text(said.out)
    read = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.real_process
def test_bash_completes_commands_and_options(archipel: Archipel, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(archipel("completion", "bash").out)

    def completed(*words: str) -> set[str]:
        line = " ".join(f"'{word}'" for word in words)
        probe = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _shtab_archipel"
        probe += r'; printf "%s\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert {"up", "status", "doctor"} <= completed("archipel", "")
    assert completed("archipel", "st") == {"status"}
    assert {"--node-name", "--node-ip"} <= completed("archipel", "up", "--node")
    assert {"k3s", "agent"} <= completed("archipel", "logs", "")


@pytest.mark.parametrize("word", parsers())
def test_every_command_has_a_help_with_examples(archipel: Archipel, word: str) -> None:
    said = archipel(word, "--help")
    assert said.code == Exit.OK
    assert "examples:" in said.out
    assert f"archipel {word}" in said.out


@pytest.mark.parametrize("word", parsers())
def test_every_example_in_a_help_is_one_the_command_understands(word: str) -> None:
    made = parsers()[word]
    own = [
        line for line in (made.epilog or "").splitlines() if re.match(rf"\s+(sudo )?archipel {word}\b", line)
    ]
    assert own
    for line in own:
        command = re.split(r"\s{3,}|\s[|>]", line.strip())[0].removeprefix("sudo ")
        words = [text.strip("\"'") for text in re.findall(r"\"[^\"]*\"|'[^']*'|\S+", command)][2:]
        made.parse_args(words)


@pytest.mark.parametrize("word", [word for word in parsers() if word != "kubectl"])
def test_an_option_that_does_not_exist_is_a_usage_error(archipel: Archipel, word: str) -> None:
    said = archipel(word, "--no-such-option")
    assert said.code == Exit.USAGE
    assert said.out == ""


def test_every_command_of_the_launcher_that_is_ours_has_a_parser() -> None:
    ours = {word for word, (module, _, _) in COMMANDS.items() if module.startswith("archipel_agent.cli.")}
    assert set(parsers()) == ours


@pytest.mark.real_process
@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["agent", "status"], ["up", "--help"]])
def test_nothing_heavy_is_loaded_on_the_way_to_an_answer(tmp_path: Path, words: list[str]) -> None:
    probe = (
        "import sys\nfrom archipel_contract.launcher import main\n"
        f"main({words!r})\nprint(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        env={"ARCHIPEL_ROOT": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"
