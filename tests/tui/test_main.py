"""The command line of `archipel tui`."""

from pathlib import Path

import pytest

from archipel_tui.main import main, parser


def test_a_language_we_do_not_speak_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--lang", "fr"])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_the_socket_can_be_named() -> None:
    assert parser().parse_args(["--socket", "/tmp/a.sock"]).socket == Path("/tmp/a.sock")


def test_the_plain_menu_uses_the_socket_below_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCHIPEL_ROOT", str(tmp_path))
    monkeypatch.setattr("builtins.input", lambda prompt: "q")
    assert main(["--plain", "--lang", "de"]) == 0
    shown = capsys.readouterr().out
    assert "Der Agent dieses Ger" in shown
    assert "systemctl restart archipel-agent" in shown
