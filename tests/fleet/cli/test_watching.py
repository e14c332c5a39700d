"""`watch`: a line for each change that matters, also over a controller that was away."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_contract.status import Health
from archipel_fleet.api import stream
from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from archipel_fleet.cli import watch
from archipel_fleet.cli.main import main
from archipel_fleet.live import Live
from archipel_fleet.records import ContactState
from tests.fakes import fleet_sites
from tests.fakes.fleet_context import fake_context, token_of
from tests.fakes.fleet_store import FakeStore
from tests.fleet.api.test_stream import wait_until
from tests.fleet.serving import answering


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "AT_LEAST_BETWEEN", 0.0)
    monkeypatch.setattr(watch, "FIRST_WAIT", 0.05)


def change(context: Context, number: int, **values: object) -> None:
    """Change a site in the store, without telling anybody."""
    store = context.store
    assert isinstance(store, FakeStore)
    store._rows[number] = replace(store._rows[number], **values)  # type: ignore[arg-type]  # of the fields' types


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch, *words: str) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Run `watch` in a thread of its own until it ends by itself; gives what it writes."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    codes: list[int] = []
    running = threading.Thread(target=lambda: codes.append(main(["watch", *words])))
    running.start()
    try:
        yield out, err
    finally:
        running.join(15)
    assert codes == [Exit.OK]


def followed(context: Context) -> Callable[[], bool]:
    return lambda: context.live.readers == 1


def test_a_change_is_told_in_a_line_and_a_mere_word_is_not(
    context: Context, url: str, as_account: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_account("anna")
    with watching(monkeypatch, "--count", "2") as (out, err):
        assert wait_until(followed(context))
        contact = replace(fleet_sites.contact_of(0), last_heard=fleet_sites.NOW)
        change(context, 0, contact=contact)
        context.live.publish(frozenset({fleet_sites.site_id(0)}))
        change(context, 10, contact=replace(contact, state=ContactState.OVERDUE))
        context.live.publish(frozenset({fleet_sites.site_id(10)}))
        assert wait_until(lambda: "rehearsed-001" in out.getvalue())
        change(context, 0, health=replace(fleet_sites.health_of(0), health=Health.UNHEALTHY), worst="heat")
        context.live.publish(frozenset({"*"}))
    first, second = out.getvalue().splitlines()
    assert first.startswith("11:00:00 ! + rehearsed-001 [REHEARSED]: Overdue")
    assert second.startswith("11:00:00 + x aalen: Connected") and second.endswith("; heat")
    assert "12 sites" in err.getvalue()


def test_as_json_it_is_one_object_a_line_with_what_was_before(
    context: Context, url: str, as_account: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_account("anna")
    with watching(monkeypatch, "--json", "--count", "1") as (out, _):
        assert wait_until(followed(context))
        change(context, 4, problems=3)
        context.live.publish(frozenset({fleet_sites.site_id(4)}))
    told = json.loads(out.getvalue())
    assert (told["site"]["name"], told["before"]["problems"], told["site"]["problems"]) == ("emden", 0, 3)


def test_a_controller_that_was_away_is_waited_for_and_what_changed_meanwhile_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = fake_context()
    app = create_app(context)
    monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token_of(context, "anna"))
    with answering(app, context.live) as url:
        port = int(url.rpartition(":")[2])
        following = watching(monkeypatch, "--url", url, "--count", "1")
        out, err = following.__enter__()
        assert wait_until(followed(context))
    assert wait_until(lambda: "does not answer" in err.getvalue())
    change(context, 2, health=replace(fleet_sites.health_of(2), health=Health.UNHEALTHY))
    again = replace(context, live=Live())
    with answering(create_app(again), again.live, port):
        following.__exit__(None, None, None)
    assert "answers again" in err.getvalue()
    assert "celle" in out.getvalue()


def test_the_screen_is_drawn_anew_at_each_change(
    context: Context, url: str, as_account: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_account("anna")
    with watching(monkeypatch, "--screen", "--sort", "health", "--count", "2") as (out, _):
        assert wait_until(followed(context))
        context.live.publish(frozenset({fleet_sites.site_id(4)}))
    lists = out.getvalue().split("12 sites")
    assert len(lists) == 3
    assert lists[1].index("berlin") < lists[1].index("aalen")


def test_a_session_that_ends_ends_the_watching(
    context: Context,
    url: str,
    as_account: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    token = token_of(context, "anna")
    monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token)
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    codes: list[int] = []
    running = threading.Thread(target=lambda: codes.append(main(["watch"])))
    running.start()
    assert wait_until(followed(context))
    context.accounts.logout(token)
    context.live.publish(frozenset({"s-1"}))
    running.join(10)
    assert codes == [Exit.NOT_PERMITTED]
    assert "Log in with" in err.getvalue()
