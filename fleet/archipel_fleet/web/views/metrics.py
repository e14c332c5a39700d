"""A node's samples as small curves, each with its lowest, highest and latest value in words.

Called by the site's view, drawn by `templates/metrics.html`. A hole in the samples is a hole in the curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_contract.link.messages import METRIC_NAMES
from archipel_fleet.records import MetricSeries
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.sizes import mebibytes

WIDTH = 240
HEIGHT = 36
POINTS = 240  # drawn at most; one for each unit of width
DASH = 2  # half the width of a point that stands alone
HOLE = 15 * ages.MINUTE  # three points of the usual five minutes: what lies further apart is not joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One measure of one node."""

    name: str
    lines: tuple[str, ...]  # the attribute `points` of polylines
    lowest: str
    highest: str
    latest: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCurves:
    """All measures of one node."""

    node_id: str
    node_name: str
    curves: tuple[Curve, ...]


def node_curves(words: Words, name: str, series: MetricSeries, since: int, until: int) -> NodeCurves:
    """Return the curves of those measures that have a value at all."""
    found = []
    for measure in METRIC_NAMES:
        samples = [
            (at, value)
            for at, value in zip(series.at, series.values.get(measure, ()), strict=False)
            if value is not None and since <= at <= until
        ]
        if samples:
            found.append(_curve(words, measure, samples, since, until))
    return NodeCurves(node_id=series.node_id, node_name=name, curves=tuple(found))


def _curve(words: Words, measure: str, samples: Sequence[tuple[int, float]], since: int, until: int) -> Curve:
    values = [value for _, value in samples]
    low, high = min(values), max(values)
    shown = {
        "lowest": _amount(measure, low),
        "highest": _amount(measure, high),
        "latest": _amount(measure, values[-1]),
    }
    name = words(f"metric.{measure}")
    return Curve(
        name=name,
        lines=_lines(samples, since, until),
        said=words("metric.chart", name=name, **shown),
        **shown,
    )


def _lines(samples: Sequence[tuple[int, float]], since: int, until: int) -> tuple[str, ...]:
    values = [value for _, value in samples]
    low, room = min(values), max(values) - min(values)
    step = max(1, len(samples) // POINTS)
    lines: list[list[tuple[float, float]]] = []
    before: int | None = None
    for at, value in samples[::step]:
        x = (at - since) / max(1, until - since) * WIDTH
        # One unit of margin, so that the pen is not cut off; a flat curve runs in the middle.
        y = 1 + (HEIGHT - 2) * (1 - (value - low) / room) if room else HEIGHT / 2
        if before is None or at - before > HOLE * step:
            lines.append([])
        lines[-1].append((x, y))
        before = at
    return tuple(" ".join(f"{x:.1f},{y:.1f}" for x, y in _visible(line)) for line in lines)


def _visible(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the line, or for a single point, which has no length, a dash around it."""
    if len(line) > 1:
        return line
    ((x, y),) = line
    return [(max(0.0, x - DASH), y), (min(float(WIDTH), x + DASH), y)]


def _amount(measure: str, value: float) -> str:
    if measure.endswith("_mib"):
        return mebibytes(value)
    if measure.endswith("_percent"):
        return f"{value:.0f} %"
    return f"{value:.0f} °C" if measure == "temperature_c" else f"{value:.2f}"
