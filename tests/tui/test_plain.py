"""The plain menu: lines in, lines out."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from archipel_contract.catalogue.ui import Words
from archipel_contract.exits import Exit
from archipel_contract.jobs import JobState, Verb
from archipel_tui.plain import PlainMenu, Teletype
from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.conftest import ManualClock

Typed = Callable[..., str]


@pytest.fixture
def typed(agent: FakeAgent, manual: ManualClock) -> Typed:
    """Run the menu with these lines typed; return everything it printed."""

    def run(*lines: str, language: str = "en", ascii_only: bool = False, cells: int = 78) -> str:
        left = list(lines)
        shown: list[str] = []

        def ask(prompt: str) -> str:
            shown.append(prompt)
            if not left:
                raise EOFError
            return left.pop(0)

        teletype = Teletype(ask=ask, show=shown.append, cells=cells)
        menu = PlainMenu(agent.path, Words(language, ascii_only), teletype, manual.clock())
        assert menu.run() == Exit.OK
        return "\n".join(shown)

    return run


def test_home_is_printed_first_and_the_end_of_the_input_leaves(typed: Typed) -> None:
    text = typed()
    assert "edge-07  Home" in text and "+ Healthy" in text and "+ 3 of 3 ready" in text
    assert "2 Run every check, see what to do" in text


def test_the_doctor_lists_findings_by_number_and_explains_one(typed: Typed) -> None:
    text = typed("2", "1", "", "", "q")
    assert "21 checks: 18 OK, 2 found, 1 not decided" in text
    assert "1  x This needs administrator rights" in text
    assert "archipel why not-root" in text


def test_on_a_small_terminal_every_entry_of_the_menu_is_wrapped(typed: Typed) -> None:
    text = typed("q", language="de", cells=40)
    assert "  4 Alle Pods, und warum sie nicht" in text
    assert max(map(len, text.splitlines())) <= 40


def test_a_repair_is_done_on_1_only(typed: Typed, agent: FakeAgent) -> None:
    typed("2", "2", "0", "", "q")
    assert agent.requests("start_job") == []


def test_a_box_is_set_up_by_numbers_with_every_step_printed_once(typed: Typed, agent: FakeAgent) -> None:
    agent.script.facts = scenes.TWO_NETWORKS
    agent.push(scenes.bare())
    agent.script.after_start = [
        (replace(scenes.job(0), id="j-0000000000000001"), "one line"),
        (replace(scenes.job(1), id="j-0000000000000001"), ""),
        (replace(scenes.job(1), id="j-0000000000000001"), "another line"),
        (
            replace(
                scenes.job(8, JobState.SUCCEEDED), id="j-0000000000000001", sentence="The node is Ready."
            ),
            "",
        ),
    ]
    text = typed("u", "2", "1", "q")
    (request,) = agent.requests("start_job")
    assert request.verb is Verb.UP
    assert request.options == {"interface": "enp3s0", "node_ip": "10.20.30.40"}
    assert text.count("[ >> ] Check this machine") == 1
    assert text.count("[ >> ] Install k3s") == 1
    assert "one line" in text and "another line" in text
    assert "+ Done. The node is Ready." in text


def test_what_is_not_answered_with_1_is_not_done(typed: Typed, agent: FakeAgent) -> None:
    typed("s", "yes", "8", "", "u", "0", "q")
    assert agent.requests("start_job") == []


def test_an_agent_that_is_away_is_explained_and_asked_again_with_the_next_choice(
    typed: Typed, agent: FakeAgent
) -> None:
    agent.leave()
    text = typed("1", "q")
    assert text.count("systemctl restart archipel-agent") == 2


def test_the_language_changes_and_ascii_is_kept(typed: Typed) -> None:
    text = typed("g", "h", "q", ascii_only=True)
    assert "edge-07  Uebersicht" in text and "Tasten, die ueberall gelten" in text
    assert text.isascii()


def test_what_is_typed_by_mistake_is_named(typed: Typed) -> None:
    assert "There is no xyz." in typed("xyz", "q")


def test_logs_and_pods_are_printed(typed: Typed, agent: FakeAgent) -> None:
    agent.script.logs = {"k3s": ("a line of k3s",), "agent": ("a \x1b[31mline\x07 of the agent",)}
    text = typed("6", "4", "q")
    assert "a line of k3s" in text and "a line? of the agent" in text
    assert "kube-system/coredns-6799fbcd5-x7k2m" in text
