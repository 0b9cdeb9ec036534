"""What one sentence asks for: a defect, its place and its looks, in canonical English tokens."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from magic_ui.errors import InputError

DEFECTS = (
    "scratch", "crack", "corrosion", "dent", "wear", "stain", "hole",
    "chip", "contamination", "bent", "discoloration", "burr", "break",
)  # fmt: skip
PARTS = ("head", "neck", "thread", "tip", "edge", "rim", "hole", "face", "body")
PART_DETAILS = ("crest", "flank")
REGIONS = (
    "top", "bottom", "left", "right", "center",
    "top_left", "top_right", "bottom_left", "bottom_right",
)  # fmt: skip
SEVERITIES = ("slight", "moderate", "severe")
THICKNESSES = ("thin", "medium", "thick")
ORIENTATIONS = ("along", "across", "diagonal")
LANGUAGES = ("zh", "en", "mixed")

UNCOUNTABLE = ("corrosion", "wear", "contamination", "discoloration")
"""Defects that English names without an article, and that "some" does not count."""

MAX_COUNT = 10
MIN_THICKNESS_MM, MAX_THICKNESS_MM = 0.001, 100.0
MAX_UNRECOGNIZED = 20

_CHOICES: dict[str, tuple[str, ...]] = {
    "defect": DEFECTS,
    "part": PARTS,
    "part_detail": PART_DETAILS,
    "region": REGIONS,
    "severity": SEVERITIES,
    "thickness": THICKNESSES,
    "orientation": ORIENTATIONS,
    "language": LANGUAGES,
}
_REQUIRED = ("defect", "language")


@dataclass(frozen=True)
class DefectSpec:
    """One defect asked for. ``None`` means that the sentence did not say.

    ``part`` is in the object's frame (a head is a head however it lies), ``region`` in the image's; both
    may be given. ``part_detail`` says where on a thread: its crests or its flanks. ``thickness_mm`` is in
    millimetres and agrees with ``thickness``. ``text`` is the stretch of the instruction the defect was read
    from, ``unrecognized`` its words that were not understood.
    """

    defect: str
    part: str | None = None
    region: str | None = None
    severity: str | None = None
    thickness: str | None = None
    thickness_mm: float | None = None
    morphology: list[str] = field(default_factory=list)
    count: int = 1
    color: str | None = None
    category: str | None = None
    language: str = "en"
    unrecognized: list[str] = field(default_factory=list)
    orientation: str | None = None
    part_detail: str | None = None
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The slots as plain JSON values, in the order of the fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DefectSpec:
        """Read back what :meth:`to_dict` wrote; missing slots take their defaults.

        Raises ``InputError`` for unknown keys, wrong types and tokens that are not canonical.
        """
        if not isinstance(values, dict):
            raise InputError("spec", f"expected an object of slots, got {type(values).__name__}.")
        known = {f.name for f in fields(cls)}
        for key, value in values.items():
            if key not in known:
                raise InputError("spec", f"unknown slot {str(key)[:40]!r}; known: {', '.join(sorted(known))}.")
            _check_slot(key, value)
        if "defect" not in values:
            raise InputError("spec", f"no defect given; choose one of {', '.join(DEFECTS)}.")
        copied: dict[str, Any] = {
            key: list(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**copied)


def thickness_word(millimetres: float) -> str:
    """The word for a width in millimetres: below 0.2 thin, up to 0.5 medium, above thick (spec §1)."""
    if millimetres < 0.2:
        return "thin"
    return "medium" if millimetres <= 0.5 else "thick"


def _check_slot(name: str, value: Any) -> None:
    if value is None and name not in (*_REQUIRED, "count", "morphology", "unrecognized", "text"):
        return
    if name in _CHOICES:
        if not isinstance(value, str) or value not in _CHOICES[name]:
            raise InputError(name, f"got {str(value)[:40]!r}; choose one of {', '.join(_CHOICES[name])}.")
    elif name in ("morphology", "unrecognized"):
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise InputError(name, f"expected a list of words, got {str(value)[:40]!r}.")
    elif name == "count":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_COUNT:
            raise InputError(name, f"got {str(value)[:40]!r}; give a whole number from 1 to {MAX_COUNT}.")
    elif name == "thickness_mm":
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
            or not MIN_THICKNESS_MM <= value <= MAX_THICKNESS_MM
        ):
            raise InputError(
                name,
                f"got {str(value)[:40]!r}; give millimetres from {MIN_THICKNESS_MM:g} to {MAX_THICKNESS_MM:g}.",
            )
    elif not isinstance(value, str):
        raise InputError(name, f"expected text, got {type(value).__name__}.")
