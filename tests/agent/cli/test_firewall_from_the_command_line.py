"""`archipel firewall`: declaring what may come in, what is shown before, and a technician who is not shut out by a slip."""

import pytest

from archipel_contract.exits import Exit
from archipel_contract.jobs import JobState
from tests.agent.cli.conftest import Archipel
from tests.fakes.service import ScriptedService

CONF = "etc/archipel/firewall.conf"


def test_what_may_come_in_is_declared_shown_and_taken_back(archipel: Archipel) -> None:
    assert "22/tcp, 6443/tcp" in archipel("firewall", "show").out
    assert archipel("firewall", "open", "6443/tcp", "from", "192.168.7.0/24").code == Exit.OK
    assert archipel("firewall", "close", "6443/tcp").code == Exit.OK
    written = (archipel.paths.root / CONF).read_text()
    assert written.endswith("22/tcp\n6443/tcp from 192.168.7.0/24\n")
    assert archipel("firewall", "open", "22").out == "It is declared so already.\n"
    assert archipel("firewall", "show", "--json").data["openings"] == [
        "22/tcp",
        "6443/tcp from 192.168.7.0/24",
    ]


def test_an_opening_nobody_understands_changes_nothing(archipel: Archipel) -> None:
    said = archipel("firewall", "open", "https")
    assert (said.code, "'https' is not a port" in said.err) == (Exit.USAGE, True)
    assert not (archipel.paths.root / CONF).exists()


def test_a_file_that_cannot_be_understood_is_named_with_its_line(archipel: Archipel) -> None:
    (archipel.paths.root / "etc/archipel").mkdir(parents=True)
    (archipel.paths.root / CONF).write_text("22/tcp\nhttps\n")
    said = archipel("firewall", "show")
    assert (said.code, "firewall.conf: line 2: 'https' is not a port" in said.err) == (Exit.REFUSED, True)


def test_who_would_shut_himself_out_is_told_which_opening_is_missing(
    agent: Archipel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.168.7.9 50000 192.168.7.1 2222")
    said = agent("firewall", "on")
    assert said.code == Exit.REFUSED
    assert "sudo archipel firewall open 2222/tcp from 192.168.7.9" in said.err


def test_switching_it_on_says_that_it_ends_by_itself_and_how_to_keep_it(
    agent: Archipel, service: ScriptedService
) -> None:
    service.on_start = lambda: service.run_to(JobState.SUCCEEDED)
    said = agent("firewall", "on")
    assert said.code == Exit.OK
    assert "ends by itself in 60 s" in said.err
    assert "sudo archipel firewall confirm" in said.err
