"""Every screen at every size in both languages: nothing cut, nothing a console cannot draw."""

from dataclasses import replace

import pytest

from archipel_contract import catalogue
from archipel_contract.catalogue import finding
from archipel_contract.catalogue.ui import table
from archipel_tui.glyphs import ASCII, SAFE
from archipel_tui.screens.base import Page
from archipel_tui.terminal import Terminal
from archipel_tui.views.frame import ENTRIES
from tests.fakes.agent_server import FakeAgent
from tests.tui import scenes
from tests.tui.conftest import ASCII as BASIC
from tests.tui.conftest import RICH, Opened, Session

SIZES = [(60, 20), (80, 24), (80, 25), (132, 43)]
CASES = [
    *((size, language, RICH) for size in SIZES for language in ("en", "de")),
    ((60, 20), "de", BASIC),
    ((80, 24), "en", BASIC),
]
KEYS = ["1", "2", "4", "6", "8", "0", "s", "u", "h"]


def flat(session: Session) -> str:
    """The screen without frames and with single spaces."""
    text = session.text()
    for character in "│─┌┐└┘|+-":
        text = text.replace(character, " ")
    return " ".join(text.split())


def plain(text: str) -> str:
    """Words as `flat` leaves them."""
    for character in "|+-":
        text = text.replace(character, " ")
    return " ".join(text.split())


@pytest.mark.parametrize(("size", "language", "terminal"), CASES, ids=str)
async def test_every_screen_fits_and_is_drawn_with_safe_glyphs(
    opened: Opened, agent: FakeAgent, size: tuple[int, int], language: str, terminal: Terminal
) -> None:
    agent.script.facts = scenes.TWO_NETWORKS
    agent.push(replace(scenes.sick(), site=None, rehearsed=True))
    allowed = ASCII if terminal.ascii_only else SAFE
    async with opened(size=size, language=language, terminal=terminal) as session:
        await session.until("REHEARSAL")
        for key in KEYS:
            await session.press(key)
            await session.pilot.pause(0.15)
            rows = session.rows()
            assert len(rows) == size[1]
            assert max(map(len, rows)) <= size[0]
            strange = set("".join(rows)) - allowed
            assert not strange, (key, strange)
            _no_word_is_cut(session, key)


@pytest.mark.parametrize(("size", "language", "terminal"), CASES, ids=str)
async def test_a_job_and_an_agent_that_went_away_fit_as_well(
    opened: Opened, agent: FakeAgent, size: tuple[int, int], language: str, terminal: Terminal
) -> None:
    job = scenes.job(
        5, waiting="the Kubernetes API, which answers 503 since it does not know its own node yet"
    )
    agent.script.job = job
    agent.go_on(
        job, "a line of the log that is a good deal longer than sixty columns, so that it has to be wrapped"
    )
    agent.push(replace(scenes.bare(), job=job.id))
    allowed = ASCII if terminal.ascii_only else SAFE
    async with opened(size=size, language=language, terminal=terminal) as session:
        await session.until("J ")
        await session.press("j")
        await session.until("[ >> ]")
        await session.until("a line of the log")
        _no_word_is_cut(session, "j")
        shown = flat(session)
        assert plain(session.app.words("job.goes-on")) in shown
        assert "its own node yet" in shown, shown
        agent.leave()
        await session.until("systemctl restart archipel-agent")
        assert not set("".join(session.rows())) - allowed
        await session.press("1")
        assert "systemctl restart archipel-agent" in session.text()


def _no_word_is_cut(session: Session, key: str) -> None:
    """Keys and headings are whole: each word of the key bar, the heading of each panel, each entry of the menu."""
    page = session.app.screen
    assert isinstance(page, Page)
    shown = flat(session)
    for name, word in page._keys():
        assert plain(f"{name} {word}") in shown, (key, name, word)
    for panel in page.query("Panel"):
        if panel.display and panel.size.width:
            assert plain(str(panel.border_title)) in shown, (key, panel.border_title)
    if key == "0":
        for _, word in ENTRIES:
            assert plain(session.app.words(f"menu.{word}")) in shown, word


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_sentence_of_a_finding_can_be_read_to_its_end(
    opened: Opened, agent: FakeAgent, size: tuple[int, int], language: str
) -> None:
    long = finding("not-root", ("uid 1000",), user="a-user-with-a-long-name", command="up")
    agent.push(replace(scenes.sick(), findings=(long,)))
    async with opened(size=size, language=language) as session:
        await session.until("edge-07")
        await session.press("w")
        await session.pilot.pause(0.1)
        seen = flat(session)
        for _ in range(4):
            await session.press("pagedown")
            seen += " " + flat(session)
        text = catalogue.words(long, language)
        for sentence in (text.title, text.cause, text.remedy, *text.runbook):
            assert set(plain(sentence).split()) <= set(seen.split())


async def test_a_window_that_is_made_too_small_says_so_and_recovers(opened: Opened) -> None:
    async with opened() as session:
        await session.until("+ Healthy")
        await session.pilot.resize_terminal(50, 12)
        await session.until("This window is too small.")
        await session.pilot.resize_terminal(80, 24)
        await session.until("+ Healthy")


async def test_without_colour_the_chosen_row_is_reversed(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(terminal=BASIC) as session:
        await session.press("0")
        await session.pilot.pause(0.1)
        strips = session.app.screen._compositor.render_strips()
        shown = [strip for strip in strips if ">" in strip.text]
        assert any(segment.style and segment.style.reverse for segment in shown[0])


def test_no_name_of_a_check_is_longer_than_the_narrow_list() -> None:
    for key, texts in table().items():
        if key.startswith("check."):
            assert max(map(len, texts.values())) <= 22, key
