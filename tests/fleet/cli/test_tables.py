"""Tables of the commands on terminals of all widths."""

import io

import pytest

from archipel_fleet.cli.screen import Mark, Screen
from archipel_fleet.cli.sites import table
from tests.fakes import fleet_sites

HEAD = ("site", "contact", "heard", "system")
ROWS = [((Mark.GOOD,), ("berlin", "Connected", "2 s ago", "Debian GNU/Linux 12 (bookworm)"))]


class Terminal(io.StringIO):
    """Text that was written to a terminal."""

    def isatty(self) -> bool:
        """Somebody looks."""
        return True


def shown(
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    out: io.StringIO | None = None,
    language: str = "en",
) -> tuple[Screen, io.StringIO, io.StringIO]:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen(color=False, language=language)
    screen.out, screen.err = out or Terminal(), io.StringIO()
    return screen, screen.out, screen.err


def test_a_narrow_terminal_loses_spare_columns_in_their_order_and_is_told_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, out, err = shown(30, monkeypatch)
    screen.table(HEAD, ROWS, spare=(3, 2))
    assert out.getvalue().splitlines() == ["  site    contact    heard", "+ berlin  Connected  2 s ago"]
    assert "system" in err.getvalue() and "heard" not in err.getvalue()


def test_a_column_that_is_not_spare_stays_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, out, err = shown(12, monkeypatch)
    screen.table(HEAD, ROWS, spare=(3, 2))
    assert [line.strip() for line in out.getvalue().splitlines()[2:]] == ["+ berlin", "Connected"]
    assert "heard, system" in err.getvalue()


def test_what_is_long_in_the_last_column_goes_on_below_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, out, _ = shown(40, monkeypatch)
    screen.table(
        ("when", "what"), [((Mark.GOOD,), ("2 s ago", "the link was cut, and it came back by itself"))]
    )
    assert out.getvalue().splitlines()[1:] == [
        "+ 2 s ago  the link was cut, and it came",
        "           back by itself",
    ]


def test_where_two_lines_a_row_do_not_do_each_cell_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, out, _ = shown(34, monkeypatch)
    screen.table(HEAD, ROWS, may_split=True)
    said = out.getvalue().splitlines()
    assert said[4:] == ["+ berlin", "    Connected", "    2 s ago", "    Debian GNU/Linux 12 (bookworm)"]
    assert max(map(len, said)) <= 34


def test_an_empty_table_says_that_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, out, _ = shown(80, monkeypatch, language="de")
    screen.table(HEAD, [])
    assert out.getvalue() == "Es gibt nichts aufzulisten.\n"


def test_a_sentence_beside_its_label_is_wrapped_in_its_column_and_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, out, _ = shown(40, monkeypatch)
    screen.said("    Why  ", "Its power or its link is away; \033[2Jits workloads may run on")
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("    Why  Its") and all(line.startswith(" " * 9) for line in lines[1:])
    assert len(lines) > 1 and max(map(len, lines)) <= 40 and "\033" not in out.getvalue()


@pytest.mark.parametrize("said", ["", "0", "wide"])
def test_what_goes_into_a_file_or_a_pipe_is_whole_unless_columns_says_how_wide(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    screen, out, err = shown(30, monkeypatch, io.StringIO())
    screen.table(HEAD, ROWS, spare=(3, 2))
    assert out.getvalue().splitlines()[1] == "+ berlin  Connected  2 s ago"
    assert "system" in err.getvalue()
    screen, out, err = shown(30, monkeypatch, io.StringIO())
    monkeypatch.setenv("COLUMNS", said)
    screen.table(HEAD, ROWS, spare=(3, 2))
    assert "bookworm" in out.getvalue() and err.getvalue() == ""


def test_without_columns_a_pipe_gets_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, out, err = shown(30, monkeypatch, io.StringIO())
    monkeypatch.delenv("COLUMNS")
    screen.table(HEAD, ROWS, spare=(3, 2))
    assert "bookworm" in out.getvalue() and err.getvalue() == ""


@pytest.mark.parametrize("columns", [80, 90])
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_list_of_sites_fits_and_keeps_contact_and_health_with_their_ages(
    monkeypatch: pytest.MonkeyPatch, columns: int, language: str
) -> None:
    screen, out, _ = shown(columns, monkeypatch, language=language)
    rows = tuple(fleet_sites.site_row(number) for number in range(12))
    table(screen, rows, fleet_sites.NOW)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    at = next(number for number, line in enumerate(lines) if "dresden" in line)
    told = " ".join(lines[at : at + 2])
    assert told.count("40") == 2 and "REHEARSED" in out.getvalue()


def test_a_list_of_short_names_takes_one_line_for_each_site_in_eighty_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, out, _ = shown(80, monkeypatch)
    table(screen, tuple(fleet_sites.site_row(number) for number in (0, 2, 4)), fleet_sites.NOW)
    assert len(out.getvalue().splitlines()) == 4
