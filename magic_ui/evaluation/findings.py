"""What a part of an evaluation hands back: rows for the table, details for the JSON, pictures for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .table import Row


@dataclass(frozen=True)
class Sheet:
    """A sheet of pictures: ``rows`` of (label, tiles uint8 [H, W, 3]), one tile for each of ``columns``."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[np.ndarray]]]


@dataclass
class Findings:
    """Grows part by part; ``details`` is JSON-able."""

    rows: list[Row] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    sheets: list[Sheet] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over another part's rows, details and sheets."""
        self.rows += other.rows
        self.details |= other.details
        self.sheets += other.sheets
