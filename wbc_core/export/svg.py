"""Small figures as SVG for documents that load nothing: intervals, points, curves and matrices."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

_INK, _GREY, _LINE, _VIOLET, _PINK = "#28232f", "#655f6e", "#ddd8e4", "#6a42ac", "#d0528a"
COLOURS = (
    "#c8404c", "#2f62c8", "#e8892b", "#8048b0", "#10b0e0", "#f078a0", "#087060", "#a8a808", "#7878e8",
    "#a04808",
)  # fmt: skip
"""One a run, as on the pages."""

Triple = tuple[float, float, float]
_WIDTH = 900
_LETTER = 6.4
_TICKS = 5


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = _INK, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">'
        f"{escape(text)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = _LINE, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{more}/>'


def _drawing(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}" font-family="system-ui, sans-serif" style="width:100%;height:auto;'
        f'max-width:{width:.0f}px">{"".join(parts)}</svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two ends."""
    span = high - low or 1.0
    step = 10 ** math.floor(math.log10(span / _TICKS))
    step *= next((factor for factor in (1, 2, 5) if span / (step * factor) <= _TICKS), 10)
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


class _Scale:
    """From values to places along one side."""

    def __init__(
        self, values: Sequence[float], start: float, end: float, *, logarithmic: bool = False
    ) -> None:
        self._log = logarithmic
        low, high = min(map(self._of, values)), max(map(self._of, values))
        room = 0.06 * (high - low) or 0.5
        self.low, self.high, self._start, self._end = low - room, high + room, start, end

    def _of(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def __call__(self, value: float) -> float:
        share = (self._of(value) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Round values that are shown."""
        if not self._log:
            return _ticks(self.low, self.high)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        found = [m * 10.0**power for power in powers for m in (1, 2, 5)]
        shown = [value for value in found if self.low <= math.log10(value) <= self.high]
        return shown if len(shown) > 2 else _ticks(10**self.low, 10**self.high)


def _number(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def intervals(values: Mapping[str, Triple], title: str, *, zero: bool = False) -> str:
    """Points with their intervals, one a line.

    Args:
        values: Name to value, lower and upper end.
        title: What is measured, with its unit.
        zero: Whether to mark 0.
    """
    left = 20 + _LETTER * max(map(len, values))
    bottom = 20 + 24 * len(values)
    scale = _Scale([end for triple in values.values() for end in triple] + [0.0] * zero, left, _WIDTH - 20)
    parts = [_line(scale(tick), 8, scale(tick), bottom) for tick in scale.ticks()]
    parts += [
        _text(scale(tick), bottom + 16, _number(tick), anchor="middle", colour=_GREY)
        for tick in scale.ticks()
    ]
    if zero:
        parts.append(_line(scale(0), 8, scale(0), bottom, _GREY, ' stroke-dasharray="5 4"'))
    for place, (name, (value, low, high)) in enumerate(values.items()):
        y = 24 + 24 * place
        parts += [
            _text(left - 12, y + 4, name, anchor="end"),
            _line(scale(low), y, scale(high), y, _GREY, ' stroke-width="1.6"'),
            f'<circle cx="{scale(value):.1f}" cy="{y}" r="5" fill="{_VIOLET}"/>',
        ]
    parts.append(_text((left + _WIDTH) / 2, bottom + 34, title, anchor="middle", colour=_GREY))
    return _drawing(_WIDTH, bottom + 42, title, parts)


def _frame(
    x: _Scale, y: _Scale, box: tuple[float, float, float, float], titles: tuple[str, str]
) -> list[str]:
    """Grid, ticks and titles of a chart in a box of left, top, right and bottom."""
    left, top, right, bottom = box
    parts = [_line(left, y(tick), right, y(tick)) for tick in y.ticks()]
    parts += [_text(left - 8, y(tick) + 4, _number(tick), anchor="end", colour=_GREY) for tick in y.ticks()]
    parts += [_line(left, bottom, right, bottom, _GREY)]
    parts += [_text(x(tick), bottom + 16, _number(tick), anchor="middle", colour=_GREY) for tick in x.ticks()]
    parts.append(_text((left + right) / 2, bottom + 34, titles[0], anchor="middle", colour=_GREY))
    parts.append(_text(left - 40, top - 10, titles[1], colour=_GREY))
    return parts


def _legend(names: Sequence[str], top: float) -> tuple[list[str], float]:
    """Names with their colours, in lines; and where they end."""
    parts, x = [], 20.0
    for place, name in enumerate(names):
        wide = 30 + _LETTER * len(name)
        if x + wide > _WIDTH and x > 20:
            x, top = 20.0, top + 18
        parts.append(f'<circle cx="{x}" cy="{top}" r="5" fill="{COLOURS[place % len(COLOURS)]}"/>')
        parts.append(_text(x + 10, top + 4, name))
        x += wide
    return parts, top + 24


def points(values: Mapping[str, tuple[float, Triple]], front: Sequence[str], titles: tuple[str, str]) -> str:
    """A score against a cost on a logarithmic axis, with the steps of the Pareto front.

    Args:
        values: Name to cost, above 0, and score with lower and upper end.
        front: Names on the front, cheapest first.
        titles: Of the horizontal and the vertical axis.
    """
    parts, top = _legend(list(values), 14)
    box = (70.0, top + 20, _WIDTH - 20.0, top + 320)
    x = _Scale([cost for cost, _ in values.values()], box[0], box[2], logarithmic=True)
    y = _Scale([end for _, triple in values.values() for end in triple], box[3], box[1])
    parts += _frame(x, y, box, titles)
    for one, two in pairwise(front):
        corner = x(values[two][0]), y(values[one][1][0])
        for start in (one, two):
            place = x(values[start][0]), y(values[start][1][0])
            parts.append(_line(*place, *corner, _GREY, ' stroke-dasharray="2 3"'))
    for number, (name, (cost, (score, low, high))) in enumerate(values.items()):
        colour = COLOURS[number % len(COLOURS)]
        fill = colour if name in front else "#fff"
        parts.append(_line(x(cost), y(low), x(cost), y(high), _GREY, ' stroke-width="1.6"'))
        parts.append(
            f'<circle cx="{x(cost):.1f}" cy="{y(score):.1f}" r="6" fill="{fill}" stroke="{colour}" '
            'stroke-width="2"/>'
        )
    return _drawing(_WIDTH, box[3] + 42, f"{titles[1]} against {titles[0]}", parts)


def curves(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], titles: tuple[str, str]) -> str:
    """Curves over one axis.

    Args:
        series: Name to x and y values, at least one each.
        titles: Of the horizontal and the vertical axis.
    """
    parts, top = _legend(list(series), 14)
    box = (70.0, top + 20, _WIDTH - 20.0, top + 320)
    x = _Scale([value for xs, _ in series.values() for value in xs], box[0], box[2])
    y = _Scale([value for _, ys in series.values() for value in ys], box[3], box[1])
    parts += _frame(x, y, box, titles)
    for number, (xs, ys) in enumerate(series.values()):
        path = " ".join(f"{x(one):.1f},{y(two):.1f}" for one, two in zip(xs, ys, strict=True))
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return _drawing(_WIDTH, box[3] + 42, titles[1], parts)


def matrix(
    counts: Sequence[Sequence[int]], class_names: Sequence[str], title: str, *, signed: bool = False
) -> str:
    """A confusion matrix, or with `signed` the difference of two: violet more, pink fewer.

    Args:
        counts: Images, [true][predicted].
        class_names: The classes, in order.
        title: What it shows.
    """
    side, left = 46, 20 + _LETTER * max(map(len, class_names))
    top = 40.0
    most = max((abs(value) for line in counts for value in line), default=0) or 1
    parts = [_text(0, 16, title, size=13), _text(left, 34, "predicted", colour=_GREY, size=11)]
    for true, line in enumerate(counts):
        y = top + side * true
        parts.append(_text(left - 8, y + side / 2 + 4, class_names[true], anchor="end"))
        for named, value in enumerate(line):
            depth = math.sqrt(abs(value) / most)
            x, colour = left + side * named, _PINK if value < 0 else _VIOLET
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{side - 2}" height="{side - 2}" fill="{colour}" '
                f'fill-opacity="{depth:.2f}"/>'
            )
            if value:
                ink = "#fff" if depth > 0.7 else _INK
                written = f"{value:+,}" if signed else f"{value:,}"
                parts.append(_text(x + side / 2 - 1, y + side / 2 + 4, written, anchor="middle", colour=ink))
    bottom = top + side * len(counts)
    for named, name in enumerate(class_names):
        x = left + side * (named + 0.5)
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 12:.1f}" text-anchor="end" fill="{_INK}" font-size="12" '
            f'transform="rotate(-40 {x:.1f} {bottom + 12:.1f})">{escape(name)}</text>'
        )
    height = bottom + 30 + 0.65 * _LETTER * max(map(len, class_names))
    return _drawing(left + side * len(class_names) + 10, height, title, parts)
