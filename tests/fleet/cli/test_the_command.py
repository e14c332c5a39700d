"""The command itself: its help teaches, it loads only what it runs, shells complete it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli.main import application
from archipel_fleet.cli.reference import pages
from tests.fleet.cli.conftest import Run


def commands(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", {})
    if not below:
        yield words, command
    for word, one in below.items():
        yield from commands(one, *words, word)


ALL = dict(commands(typer.main.get_command(application())))


def examples(command: Any) -> list[str]:
    return [line.strip() for line in str(command.help).partition("Examples:")[2].splitlines() if line.strip()]


def test_every_promised_command_is_there() -> None:
    promised = {
        "serve",
        "sites",
        "site",
        "nodes",
        "watch",
        "why",
        "login",
        "logout",
        "backup",
        "restore",
        "broker-config",
    }
    promised |= {"broker config", "broker check"}
    promised |= {"run", "orders", "order", "document set", "document list", "audit"}
    promised |= {"devices", "approve", "refuse", "rename", "revoke", "decommission"}
    promised |= {f"token {word}" for word in ("new", "list", "remove")}
    promised |= {f"accounts {word}" for word in ("list", "add", "password", "remove")}
    promised |= {f"customers {word}" for word in ("list", "add", "assign")}
    changing = ("rotate", "delegate", "revoke", "propose", "sign", "accept")
    promised |= {f"keys {word}" for word in ("init", "show", "new", *changing, "recover", "export-root")}
    promised |= {"keys recovery-recipient"}
    assert promised | {"completion"} == {" ".join(words) for words in ALL}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_teaches_with_examples_that_can_be_typed(run: Run, words: tuple[str, ...]) -> None:
    said = run(*words, "--help")
    assert said.code == Exit.OK
    assert "--json" in said.out and "Examples:" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    shown = examples(ALL[words])
    assert shown
    for line in shown:
        assert line.startswith(f"archipel fleet {' '.join(words)}")
        typed = re.split(r" [|<>] ", re.sub(r"\$\([^)]*\)", "x", line))[0].split()[2 + len(words) :]
        ALL[words].make_context("x", typed)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    assert [one.name for one in ALL[words].params if not one.help] == []
    shared = {one.name for one in ALL[words].params}
    assert {"json", "lang", "color"} <= shared


def test_the_bare_word_shows_the_help_and_is_no_success(run: Run) -> None:
    said = run()
    assert said.code == Exit.USAGE
    assert "Commands:" in said.out + said.err


def test_every_command_and_setting_is_on_its_reference_page() -> None:
    written = pages()
    for words in ALL:
        assert f"## archipel fleet {' '.join(words)}\n" in written["fleet-cli.md"]
    assert "### GET /api/v1/sites/{site}/why" in written["fleet-api.md"]
    assert "`ARCHIPEL_FLEET_LISTEN`" in written["fleet-settings.md"]


def loaded_by(*words: str) -> set[str]:
    script = (
        "import sys; from archipel_fleet.cli.main import main; main(sys.argv[1:]);"
        "print('loaded:', *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=20, check=True
    )
    return set(done.stderr.rpartition("loaded:")[2].split())


@pytest.mark.real_process
def test_help_loads_no_server_no_database_and_no_http_client() -> None:
    heavy = {
        "fastapi",
        "sqlalchemy",
        "pydantic",
        "uvicorn",
        "httpx",
        "jinja2",
        "paho",
        "rich",
        "prometheus_client",
    }
    assert loaded_by("--help") & heavy == set()
    # typer itself reads values with pydantic, where that is installed.
    assert loaded_by("why", "heat") & (heavy - {"pydantic"}) == set()


@pytest.mark.real_process
def test_what_is_asked_of_a_controller_loads_no_server() -> None:
    heavy = {"fastapi", "sqlalchemy", "uvicorn", "jinja2", "paho"}
    assert loaded_by("sites", "--url", "http://127.0.0.1:9") & heavy == set()


@pytest.fixture
def complete(tmp_path: Path, url: str, as_account: Callable[[str], None]) -> Callable[[str], list[str]]:
    """Press the tabulator key in a real bash behind these words; return what it offers."""
    as_account("anna")
    command = tmp_path / "bin" / "archipel"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m archipel_contract.launcher "$@"\n')
    command.chmod(0o755)
    program = (
        '_old() { COMPREPLY=(from-the-old-one); }; complete -F _old archipel; eval "$(archipel fleet completion bash)";'
        'COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "$1";'
        '[ "${1% }" = "$1" ] || COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));'
        'name=$(complete -p archipel | sed -n "s/.* -F \\([^ ]*\\) .*/\\1/p"); "$name" archipel;'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def offered(line: str) -> list[str]:
        around = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", program, "bash", line],
            capture_output=True,
            text=True,
            env=around,
            timeout=30,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return offered


@pytest.mark.real_process
@pytest.mark.timeout(60)
def test_bash_completes_commands_options_values_and_names_of_sites(
    complete: Callable[[str], list[str]],
) -> None:
    assert {"sites", "serve", "site"} <= set(complete("archipel fleet s"))
    assert complete("archipel fleet sites --contact over") == ["overdue"]
    assert complete("archipel fleet site ber") == ["berlin"]
    assert complete("archipel sta") == ["from-the-old-one"]


@pytest.mark.real_process
def test_completion_says_nothing_when_the_controller_is_away(
    complete: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_FLEET_URL", "http://127.0.0.1:9")
    assert complete("archipel fleet site ber") == []


def test_there_is_a_script_for_zsh(run: Run) -> None:
    said = run("completion", "zsh")
    assert said.out.startswith("#compdef archipel\n") and "_ARCHIPEL_FLEET_COMPLETE=complete_zsh" in said.out
