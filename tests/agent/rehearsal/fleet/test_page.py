"""The page about rehearsals shows commands and a scenario that work as they stand there."""

import re
import shlex
from pathlib import Path

import pytest

from archipel_agent.cli.rehearse import main, parser
from archipel_agent.rehearsal.fleet import acts
from archipel_agent.rehearsal.fleet.scenario import parse
from archipel_contract.exits import Exit

PAGE = Path("docs/rehearsal.md").read_text()
LINES = re.findall(r"^archipel rehearse (.+?)(?:\s+#.*)?$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_a_command_on_the_page_can_be_typed_like_that(line: str) -> None:
    options = parser().parse_args(shlex.split(line))
    if options.word == "ctl" and options.verb not in ("show", "stop", "heal"):
        acts.checked(acts.Act(what=options.verb, where=tuple(options.where), to=options.to))


def test_the_scenario_on_the_page_can_be_played() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    read = parse(text)
    assert (len(read.special), len(read.events), len(read.chances)) == (2, 2, 1)


def test_the_page_has_its_commands() -> None:
    assert len(LINES) >= 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sites", "0"], "--sites goes from 1"),
        (["--nodes", "27"], "--nodes from 1 to 26"),
        (["--interval", "0"], "at least 1 second"),
        (["--broker", "mqtt://192.0.2.1"], "without TLS only"),
        (["--broker", "http://127.0.0.1"], "it must begin with one of mqtt://"),
        (["--scenario", "nowhere.toml"], "the scenario cannot be used"),
        (["--scenario", "docs/scenarios/demo.toml", "--sites", "3"], "which is none of 3 sites"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_starts(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_commands_for_a_rehearsal_that_is_not_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ctl", str(tmp_path), "show"]) == Exit.REFUSED
    assert "no rehearsal answers" in capsys.readouterr().err


def test_the_troubles_are_listed_with_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--troubles"]) == Exit.OK
    listed = capsys.readouterr().out
    assert all(name in listed and title in listed for name, title in acts.TROUBLES.items())
