"""Plots as inline SVG and HTML: no plotting library, no files beside the page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from .ordering import is_ordered

_BLUE, _GREY = "#2f6fb5", "#8a94a3"


def bars(values: Mapping[str, tuple[float, float]], title: str) -> str:
    """Horizontal bars of (value, standard deviation), the first one coloured."""
    width, row, left = 460, 22, 130
    most = max([v + s for v, s in values.values()] + [1e-9])
    lines = [f"<figure><svg width={width} height={row * len(values) + 4} font-size=12 font-family=system-ui>"]
    for i, (name, (value, spread)) in enumerate(values.items()):
        y, length = i * row + 3, max(value, 0) / most * (width - left - 60)
        end, whisker = left + length, spread / most * (width - left - 60)
        lines.append(f"<text x={left - 6} y={y + 13} text-anchor=end>{html.escape(name)}</text>")
        lines.append(f"<rect x={left} y={y} width={length:.1f} height=16 fill='{_BLUE if i == 0 else _GREY}'/>")
        if spread:
            lines.append(f"<path d='M{max(left, end - whisker):.1f} {y + 8}H{end + whisker:.1f}' stroke='#1d2530'/>")
        lines.append(f"<text x={end + whisker + 5:.1f} y={y + 13}>{value:.3g}</text>")
    return "".join([*lines, f"</svg><figcaption>{html.escape(title)}</figcaption></figure>"])


def rising_lines(series: Sequence[Sequence[float]], names: Sequence[str], title: str) -> str:
    """One line a series over named places; lines that do not rise throughout are drawn in red."""
    width, height, pad = 320, 200, 34
    most = max((max(s) for s in series), default=1) or 1
    places = [pad + i * (width - 2 * pad) / max(len(names) - 1, 1) for i in range(len(names))]
    lines = [f"<figure><svg width={width} height={height} font-size=12 font-family=system-ui>"]
    for values in series:
        rising = is_ordered(values)
        points = " ".join(
            f"{x:.1f},{height - 22 - v / most * (height - 40):.1f}" for x, v in zip(places, values, strict=True)
        )
        color = _BLUE if rising else "#c0392b"
        lines.append(f"<polyline points='{points}' fill=none stroke='{color}' stroke-opacity=.6 />")
    lines += [f"<text x={x} y={height - 5} text-anchor=middle>{n}</text>" for x, n in zip(places, names, strict=True)]
    lines.append(f"<text x=2 y=14>{most:.0f}</text>")
    return "".join([*lines, f"</svg><figcaption>{html.escape(title)}</figcaption></figure>"])


def confusion_table(counts: np.ndarray, classes: Sequence[str], title: str) -> str:
    """Counts [K, K] as a shaded table: rows what was asked for, columns what was recognised."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    head = "".join(f"<td>{html.escape(c[:5])}" for c in classes)
    lines = [f"<figure><table class=confusion><tr><th>{head}</tr>"]
    for k, name in enumerate(classes):
        if counts[k].sum():
            cells = "".join(
                f"<td style='background:rgba({'47,111,181' if j == k else '192,57,43'},{share[k, j]:.2f})'>{n or ''}"
                for j, n in enumerate(counts[k].tolist())
            )
            lines.append(f"<tr><th>{html.escape(name)}{cells}</tr>")
    return "".join([*lines, f"</table><figcaption>{html.escape(title)}</figcaption></figure>"])
