"""`archipel answers`: a template, mistakes in two languages, what would be done, and what came of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from archipel_contract.answers import FILE, AnswersState, AnswersStatus, Deed, Done
from archipel_contract.catalogue import finding
from archipel_contract.exits import Exit
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import ScriptedService

GOOD = 'format = 1\n[site]\nname = "Hall 3"\n[fleet]\nproxy = "http://me:hunter2@proxy.example:3128"\n'
BAD = "format = 1\n[site]\nnam = 3\nnode_ip = 'x'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file without a mistake."""
    place = tmp_path / FILE
    place.write_text(GOOD)
    return place


def test_the_template_can_be_checked_as_it_is_printed(archipel: Archipel, tmp_path: Path) -> None:
    said = archipel("answers", "new")
    assert said.code == Exit.OK
    (tmp_path / FILE).write_text(said.out)
    assert archipel("answers", "check", str(tmp_path / FILE)).code == Exit.OK


def test_a_good_file_is_shown_without_its_secrets(archipel: Archipel, file: Path) -> None:
    said = archipel("answers", "check", str(file))
    assert (said.code, "hunter2" in said.out) == (Exit.OK, False)
    assert "nothing is wrong" in said.out and "Hall 3" in said.out


@pytest.mark.parametrize(("language", "word"), [("en", "unknown key"), ("de", "unbekannter Schlüssel")])
def test_every_mistake_is_said_with_its_place_and_remedy(
    archipel: Archipel, file: Path, language: str, word: str
) -> None:
    file.write_text(BAD)
    said = archipel("answers", "check", str(file), "--lang", language)
    assert said.code == Exit.NOT_OK
    assert word in said.out
    assert said.out.count("archipel answers check") == 2
    data = archipel("answers", "check", str(file), "--json").data
    assert [one["params"]["line"] for one in data["mistakes"]] == ["3", "4"]


def test_a_file_that_is_not_there_is_a_usage_error(archipel: Archipel) -> None:
    assert archipel("answers", "check", "/nowhere/archipel.toml").code == Exit.USAGE


def test_a_plan_says_what_would_be_done_and_asks_the_agent_for_nothing(
    agent: Archipel, service: ScriptedService, file: Path
) -> None:
    service.current = replace(service.current, site=None)
    said = agent("answers", "apply", str(file), "--plan")
    assert said.code == Exit.OK
    assert "write the setting proxy" in said.out
    assert "archipel up --name" in said.out
    assert "hunter2" not in said.out
    assert service.applied == []
    assert agent("answers", "apply", str(file), "--plan", "--json").data["up"] == {"name": "Hall 3"}


def test_a_file_is_applied_by_the_agent(agent: Archipel, service: ScriptedService, file: Path) -> None:
    service.answered = AnswersStatus(
        state=AnswersState.DONE,
        file=str(file),
        done=(Done(deed=Deed.UP, at="2026-11-22T07:00:00Z", detail="Hall 3"),),
    )
    said = agent("answers", "apply", str(file))
    assert said.code == Exit.OK, said
    assert service.applied == [str(file)]
    assert "2026-11-22T07:00:00Z  up: Hall 3" in said.out


def test_a_file_with_a_mistake_never_gets_to_the_agent(
    agent: Archipel, service: ScriptedService, file: Path
) -> None:
    file.write_text(BAD)
    assert agent("answers", "apply", str(file)).code == Exit.NOT_OK
    assert agent("answers", "apply", str(file), "--plan").code == Exit.NOT_OK
    assert service.applied == []


def test_what_is_in_force_is_shown_with_what_was_not_done(agent: Archipel, service: ScriptedService) -> None:
    wrong = finding("answers-read-only", place="/boot/firmware")
    service.answered = AnswersStatus(
        state=AnswersState.DONE,
        file="/boot/firmware/archipel.toml",
        values={"site.name": "Hall 3"},
        findings=(wrong,),
    )
    said = agent("answers", "show", "--lang", "de")
    assert said.code == Exit.OK
    assert "has been applied" in said.out and "schreibgeschützt" in said.out
    service.answered = replace(service.answered, state=AnswersState.REFUSED)
    assert agent("answers", "show", "--json").code == Exit.NOT_OK


def test_without_an_agent_it_says_what_was_last_kept(archipel: Archipel) -> None:
    said = archipel("answers", "show")
    assert said.code == Exit.OK
    assert "there is no answer file" in said.out
