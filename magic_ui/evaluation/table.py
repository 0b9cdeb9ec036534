"""The table of figures: what was measured, the bar it has to reach, and how sure one may be of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure. ``bar`` with ``at_least`` says when it is reached; without a bar it is only reported.

    ``interval`` is the 95% interval of a share, ``count`` the number of things measured, ``note`` how.
    """

    name: str
    value: float
    bar: float | None = None
    at_least: bool = True
    unit: str = ""
    count: int | None = None
    interval: tuple[float, float] | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None without a bar or a value."""
        if self.bar is None or math.isnan(self.value):
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with ``reached``; a value that is not a number becomes None."""
        values = asdict(self) | {"reached": self.reached}
        return values | {"value": None if math.isnan(self.value) else round(self.value, 6)}

    def text(self) -> str:
        """The value as a person reads it."""
        if math.isnan(self.value):
            return "—"
        if self.unit == "%":
            return f"{100 * self.value:.1f}%"
        return f"{self.value:.4g}{' ' + self.unit if self.unit else ''}"

    def bar_text(self) -> str:
        """The bar as a person reads it."""
        if self.bar is None:
            return ""
        value = f"{100 * self.bar:.4g}%" if self.unit == "%" else f"{self.bar:g}{' ' + self.unit if self.unit else ''}"
        return f"{'≥' if self.at_least else '≤'} {value}"


def share_row(name: str, hits: int, count: int, bar: float | None = None, note: str = "") -> Row:
    """The row of a share of ``count`` trials, with its 95% interval."""
    if not count:
        return Row(name, float("nan"), bar, unit="%", count=0, note=note)
    return Row(name, hits / count, bar, unit="%", count=count, interval=wilson_interval(hits, count), note=note)


def wilson_interval(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a binomial share. Source: Wilson 1927."""
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def print_table(rows: list[Row]) -> str:
    """Plain text, one row a line."""
    lines = []
    for row in rows:
        mark = {True: "ok", False: "MISSED", None: ""}[row.reached]
        count = f"n={row.count}" if row.count is not None else ""
        interval = f"[{row.interval[0]:.2f}, {row.interval[1]:.2f}]" if row.interval else ""
        lines.append(f"{row.name:66s} {row.text():>12s}  {row.bar_text():9s} {mark:7s} {count:7s} {interval}")
    return "\n".join(lines)
