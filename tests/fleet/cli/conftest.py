"""`archipel fleet` in this process, against a controller's API on a real socket of loopback."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from archipel_fleet.api.app import create_app
from archipel_fleet.api.context import Context
from archipel_fleet.cli.main import main
from tests.fakes.fleet_context import fake_context, token_of
from tests.fleet.serving import answering


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, English, no colour, nothing set: what a command finds is what the test put there."""
    for name in (
        "ARCHIPEL_FLEET_URL",
        "ARCHIPEL_FLEET_TOKEN",
        "ARCHIPEL_LANGUAGE",
        "COLUMNS",
        "LC_ALL",
        "LC_MESSAGES",
        "NO_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ARCHIPEL_FLEET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    return tmp_path


@pytest.fixture
def context() -> Context:
    """The controller's side."""
    return fake_context()


@pytest.fixture
def url(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a controller that answers, known to the commands."""
    with answering(create_app(context), context.live) as address:
        monkeypatch.setenv("ARCHIPEL_FLEET_URL", address)
        yield address


@pytest.fixture
def as_account(context: Context, url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the commands be those of one of the fake accounts."""

    def become(name: str) -> None:
        monkeypatch.setenv("ARCHIPEL_FLEET_TOKEN", token_of(context, name))

    return become


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command."""

    def one(*words: str) -> Said:
        capsys.readouterr()
        code = main(list(words))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return one


@pytest.fixture
def anna(as_account: Callable[[str], None], run: Run) -> Run:
    """Commands of an admin."""
    as_account("anna")
    return run
