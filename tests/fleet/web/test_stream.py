"""The stream that moves open pages: who is told, how often, and how it ends."""

from collections.abc import AsyncIterator

import pytest

from archipel_fleet.api import stream as api_stream
from archipel_fleet.web.pages import stream
from tests.fleet.web.visiting import House


async def told(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


def about(*sites: str) -> str:
    return api_stream.message(frozenset(sites))


async def pushed(site: str, missed: bool, *texts: str) -> list[str]:
    return [one async for one in stream.pushes(told(*texts), site, missed, between=0)]


async def test_a_list_is_told_of_every_site_and_a_sites_page_of_its_own() -> None:
    texts = (about("s-1", "s-2"), about("s-2"), about("s-3"))
    assert await pushed("", False, *texts) == [stream.GREETING, *[stream.CHANGED] * 3]
    assert await pushed("s-1", False, *texts) == [stream.GREETING, stream.CHANGED]


async def test_a_name_that_stands_for_all_sites_moves_every_page() -> None:
    assert stream.CHANGED in await pushed("s-1", False, about("*"))


async def test_a_page_is_told_no_name() -> None:
    assert "s-1" not in "".join(await pushed("", False, about("s-1")))


async def test_who_was_away_is_told_at_once_that_something_may_have_changed() -> None:
    assert await pushed("s-1", True) == [stream.GREETING, stream.CHANGED]


async def test_the_end_of_the_session_and_the_heartbeat_are_passed_on() -> None:
    over = "event: over\ndata: {}\n\n"
    assert await pushed("s-1", False, ": still here\n\n", over) == [stream.GREETING, ": still here\n\n", over]


async def test_the_stream_behind_is_closed_when_the_page_goes() -> None:
    closed = []

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield ": still here\n\n"
        finally:
            closed.append(True)

    pushing = stream.pushes(endless(), "", False)
    assert await anext(pushing) == stream.GREETING
    assert await anext(pushing) == ": still here\n\n"
    await pushing.aclose()  # type: ignore[attr-defined] # it is a generator
    assert closed == [True]


def test_too_many_open_pages_are_refused_with_a_time_to_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_stream, "STREAMS", 0)
    answer = house.visitor("anna").get("/live")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
