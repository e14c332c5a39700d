"""The arithmetic of the published figures, and that every one of them is known by its name."""

import json
from dataclasses import replace

import pytest

from benchmarks import __main__ as program
from benchmarks.figure import Figure, Skipped, differences, number, per_day, percent_of_core, up_bound
from benchmarks.ground import Ground


def figure(*values: float, bound: float = 2.0, is_strict: bool = False) -> Figure:
    return Figure(
        name="a", title="A", unit="s", values=values, bound=bound, method="by hand", is_strict=is_strict
    )


def test_the_median_is_held_to_the_bound_and_not_the_luckiest_run() -> None:
    assert figure(0.1, 1.0, 9.0).passes
    assert not figure(0.1, 2.1, 3.0).passes


def test_a_bound_may_be_reached_unless_it_says_less_than() -> None:
    assert figure(2.0).passes
    assert not figure(2.0, is_strict=True).passes


def test_a_figure_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        figure()


def test_the_text_says_verdict_bound_spread_and_method() -> None:
    said = figure(3.0, 1.0, 2.5).text()
    for words in (
        "FAIL  A: 2.50 s",
        "bound: <= 2.00 s",
        "min 1.00, median 2.50, max 3.00 (3 values)",
        "by hand",
    ):
        assert words in said
    assert figure(3.0, 1.0, 2.5).data()["passes"] is False
    json.dumps(figure(1.0).data())


def test_up_may_take_two_seconds_or_five_percent_longer_whichever_is_larger() -> None:
    assert up_bound(12.0) == 2.0
    assert up_bound(100.0) == 5.0


def test_pairs_are_compared_one_by_one() -> None:
    assert differences([(13.0, 12.0), (20.0, 18.5)]) == (1.0, 1.5)


def test_windows_are_extrapolated_to_a_day_and_to_a_core() -> None:
    assert per_day(4096, 120) == pytest.approx(4096 * 720)
    assert percent_of_core(60_000_000, 120) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0512, "0.0512"), (0.5, "0.500"), (2.5, "2.50"), (33.54, "33.5"), (150, "150")],
)
def test_numbers_are_shown_with_the_digits_that_mean_something(value: float, shown: str) -> None:
    assert number(value) == shown


def test_what_cannot_be_measured_here_is_skipped_with_its_reason_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cannot(ground: Ground) -> Figure:
        raise Skipped("no k3s here")

    def breaks(ground: Ground) -> Figure:
        raise RuntimeError("it fell over")

    monkeypatch.setattr(
        program, "FIGURES", {"one": cannot, "two": breaks, "three": lambda ground: figure(1.0)}
    )
    assert program.main([]) == 1
    said = capsys.readouterr().out
    assert "SKIP  one: no k3s here" in said
    assert "BROKEN  two: it fell over" in said
    assert "1 of 1 bounds hold, 1 figures skipped, 1 broken" in said
    assert program.main(["one", "three"]) == 0


def test_json_holds_machine_and_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "FIGURES", {"one": lambda ground: figure(1.0, 9.0, 2.0)})
    assert program.main(["--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"processor", "cores", "kernel", "python"} <= set(said["machine"])
    assert said["figures"][0]["median"] == 2.0


def test_a_figure_nobody_knows_is_a_wrong_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        program.main(["speed"])
    assert end.value.code == 2
    assert "there is no figure 'speed'" in capsys.readouterr().err


def test_what_was_taken_with_certificates_and_without_is_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def named(name: str, value: float) -> Figure:
        return replace(figure(value), name=name)

    figures = {
        "rate": lambda ground: named("rate", 1.5),
        "rate-plain": lambda ground: named("rate-plain", 2.0),
        "other": lambda ground: named("other", 1.0),
    }
    monkeypatch.setattr(program, "FIGURES", figures)
    program.main([])
    assert "without certificates" not in capsys.readouterr().out  # only on request
    program.main(["--compare", "rate", "other"])
    said = capsys.readouterr().out
    assert "rate: 1.50 over mTLS, 2.00 without certificates, 0.75 times as much" in said
    assert "other: " not in said and "3 of 3 bounds hold" in said


def test_every_figure_without_certificates_has_its_twin() -> None:
    plain = [name.removesuffix(program.PLAIN) for name in program.FIGURES if name.endswith(program.PLAIN)]
    assert plain and set(plain) <= set(program.FIGURES)
