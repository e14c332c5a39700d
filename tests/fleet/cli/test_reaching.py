"""How a command finds its controller and says who it is; and what it says when that fails."""

import getpass
import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from archipel_contract.exits import Exit
from archipel_fleet.api.context import Context
from archipel_fleet.cli import credentials
from archipel_fleet.host import files
from archipel_fleet.settings import Settings
from tests.fakes.fleet_context import PASSWORD
from tests.fleet.cli.conftest import Run


def test_whoever_may_read_the_data_directory_needs_no_login(
    context: Context, url: str, run: Run, home: Path
) -> None:
    (home / "data").mkdir()
    files.write_private(Settings(data=str(home / "data")).token_file, context.accounts.local_token() + "\n")
    assert run("accounts", "list").code == Exit.OK


def test_the_address_is_the_one_in_the_controllers_settings(home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "fleet.toml").write_text('listen = "127.0.0.1:9999"\n')
    assert credentials.find(None, None).url == "http://127.0.0.1:9999"
    assert credentials.find("http://localhost:1/", None).url == "http://localhost:1"


def test_without_any_token_it_is_said_where_one_was_looked_for(url: str, run: Run, home: Path) -> None:
    said = run("sites")
    assert said.code == Exit.NOT_PERMITTED
    assert "archipel fleet login" in said.err
    assert str(home / "data" / "cli.token") in said.err


def test_login_keeps_a_private_token_and_logout_forgets_it(
    context: Context, url: str, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open_lines(f"{PASSWORD}\n"))
    said = run("login", "nora", "--password-stdin")
    assert said.code == Exit.OK
    assert "as nora (operator, customer north)" in said.out
    kept = home / "config" / "archipel" / "fleet.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert json.loads(run("sites", "--json").out)["total"] == 4
    token = credentials.remembered({"XDG_CONFIG_HOME": str(home / "config")})[url]
    assert run("logout").code == Exit.OK
    assert context.accounts.of(token) is None
    assert run("sites").code == Exit.NOT_PERMITTED
    assert "no session" in run("logout").err


def open_lines(text: str) -> object:
    import io

    return io.StringIO(text)


def test_a_wrong_password_is_refused_and_nothing_is_kept(
    url: str, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open_lines("wrong wrong wrong\n"))
    said = run("login", "nora", "--password-stdin")
    assert said.code == Exit.NOT_PERMITTED
    assert "do not belong together" in said.err
    assert not (home / "config").exists()


def test_login_asks_a_person_and_never_shows_the_password(
    url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return "nora\n"

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda question, stream: PASSWORD)
    said = run("login")
    assert said.code == Exit.OK
    assert PASSWORD not in said.out + said.err


def test_login_does_not_wait_for_somebody_who_is_not_there(
    url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open_lines(""))
    assert run("login").code == Exit.USAGE
    assert "--password-stdin" in run("login", "nora").err


def test_a_token_that_is_over_says_to_log_in_again(
    context: Context, as_account: Callable[[str], None], run: Run
) -> None:
    as_account("anna")
    context.clock.pass_by(13 * 3600)  # type: ignore[attr-defined]  # the clock is the fake
    said = run("sites")
    assert said.code == Exit.NOT_PERMITTED
    assert "not valid any more" in said.err and "archipel fleet login" in said.err


def test_a_controller_that_is_away_is_told_with_what_to_do(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        said = run("sites", "--url", address)
    assert said.code == Exit.AGENT_AWAY
    assert "does not answer" in said.err and "archipel fleet serve" in said.err


def test_something_else_that_answers_is_no_controller(run: Run) -> None:
    from tests.fleet.serving import answering

    async def other(scope: object, receive: object, send: Callable[[object], object]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]  # it is ASGI
        await send({"type": "http.response.body", "body": b"<html>"})  # type: ignore[misc]  # it is ASGI

    from archipel_fleet.live import Live

    with answering(other, Live()) as url:
        said = run("sites", "--url", url)
    assert said.code == Exit.FAILED
    assert "is no controller" in said.err


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://192.0.2.1:8470", Exit.REFUSED),
        ("http://fleet.example.org", Exit.REFUSED),
        ("https://127.0.0.1:8470", Exit.REFUSED),
        ("ftp://127.0.0.1", Exit.USAGE),
        ("127.0.0.1:8470", Exit.USAGE),
        ("http://", Exit.USAGE),
        ("http://127.0.0.1:99999", Exit.USAGE),
        ("http://anna:word@127.0.0.1", Exit.USAGE),
    ],
)
def test_only_addresses_of_this_machine_are_asked(run: Run, url: str, code: Exit) -> None:
    said = run("sites", "--url", url)
    assert said.code == code
    assert len(said.err) > 40


def test_settings_that_cannot_be_used_are_named(run: Run, home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "fleet.toml").write_text("listen = 5\n")
    said = run("sites")
    assert said.code == Exit.USAGE
    assert "fleet.toml" in said.err and "listen" in said.err


def test_a_file_of_logins_that_is_rubbish_counts_as_none(url: str, run: Run, home: Path) -> None:
    kept = home / "config" / "archipel" / "fleet.json"
    kept.parent.mkdir(parents=True)
    for rubbish in ("", "[]", '{"tokens": 5}', "\xff"):
        kept.write_text(rubbish)
        assert run("sites").code == Exit.NOT_PERMITTED


@pytest.mark.parametrize("words", [["--nope"], ["sites", "--contact", "late"], ["site"], ["nothing"], []])
def test_wrong_words_are_a_usage_error(run: Run, words: list[str]) -> None:
    assert run(*words).code == Exit.USAGE
