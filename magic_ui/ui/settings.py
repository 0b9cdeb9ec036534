"""The numbers a visitor may set, their ranges, and their validation, for the page and its API alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from magic_ui.checks import require_number, require_seed
from magic_ui.errors import InputError

RANGES: dict[str, tuple[float, float]] = {
    "anomaly_strength": (0.0, 1.0),
    "text_noise_scale": (0.0, 2.0),
    "num_images": (1, 4),
    "num_inference_steps": (2, 100),
    "anomaly_stop_step": (0, 100),
    "guidance_scale": (1.0, 20.0),
    "candidates": (1, 4),
    "band_percent": (10, 50),
    "band_width": (0.1, 0.5),
}
WHOLE = frozenset({"num_images", "num_inference_steps", "anomaly_stop_step", "candidates"})
STRENGTH_CHOICES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
SWEEP_STRENGTHS = (0.1, 0.4, 0.7, 1.0)
MOST_STRENGTHS = 8


@dataclass(frozen=True)
class PaintSettings:
    """Validated arguments of ``DefectStudio.generate``; None leaves the choice to the checkpoint."""

    anomaly_strength: float = 0.6
    text_noise_scale: float = 0.3
    seed: int = 0
    num_images: int = 1
    num_inference_steps: int | None = None
    anomaly_stop_step: int | None = None
    guidance_scale: float | None = None
    candidates: int = 1

    @classmethod
    def checked(cls, **values: Any) -> PaintSettings:
        """Build from raw values.

        Raises:
            InputError: names the first field that is no number, out of range, or not whole where it must be.
        """
        settings = {name: _checked(name, value) for name, value in values.items()}
        steps, stop = settings.get("num_inference_steps"), settings.get("anomaly_stop_step")
        if steps is not None and stop is not None and stop > steps:
            raise InputError("anomaly_stop_step", f"{stop} is after the last step; give at most {steps}.")
        return cls(**settings)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``generate_steps``."""
        return dict(vars(self))

    def sweep_arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``sweep_steps``, which takes its own strengths and one image each."""
        left_out = {"anomaly_strength", "num_images"}
        return {name: value for name, value in vars(self).items() if name not in left_out}


def check_number(field: str, value: Any) -> Any:
    """``value`` inside the field's range; raises ``InputError``."""
    low, high = RANGES[field]
    return require_number(field, value, low, high, integer=field in WHOLE)


def check_strengths(values: Any) -> list[float]:
    """One to eight strengths between 0 and 1, ascending, none twice; raises ``InputError``."""
    if not isinstance(values, list | tuple) or not values:
        raise InputError("strengths", "no strength was given; choose at least one.")
    if len(values) > MOST_STRENGTHS:
        raise InputError("strengths", f"{len(values)} strengths are too many; give at most {MOST_STRENGTHS}.")
    low, high = RANGES["anomaly_strength"]
    return sorted({require_number("strengths", value, low, high) for value in values})


def _checked(name: str, value: Any) -> Any:
    if name == "seed":
        return require_seed(value)
    optional = name in ("num_inference_steps", "anomaly_stop_step", "guidance_scale")
    if value is None and optional:
        return None
    return check_number(name, value)
