"""What can be set about painting, and the check of every value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..checks import require_choice, require_number
from ..errors import InputError
from .perturbation import GUIDANCE_SCHEDULES


@dataclass(frozen=True)
class SamplerOptions:
    """How to paint; every field goes into the record.

    ``anomaly_noise`` None follows each sample's ``anomaly_strength``, weighted by the checkpoint (1: the published
    coupling); ``anomaly_stop_step`` None stops MGNI after 40% of the steps; ``guidance_scale`` is w_in at the first
    step, ``guidance_scale_end`` at the last, ``guidance_scale_out`` outside the mask; ``guidance_rescale`` is φ of
    Lin et al. 2024 inside the mask.
    """

    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    guidance_scale_end: float = 4.0
    guidance_scale_out: float = 7.5
    guidance_rescale: float = 0.0
    guidance_schedule: str = "cosine"
    text_noise_scale: float = 0.3
    anomaly_noise: float | None = None
    anomaly_stop_step: int | None = None
    use_random_mask: bool = True
    eta: float = 0.0
    eta_mask: float | None = None

    @property
    def mgni_steps(self) -> int:
        """Number of steps after which MGNI adds noise."""
        return round(0.4 * self.num_inference_steps) if self.anomaly_stop_step is None else self.anomaly_stop_step

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


_RANGES: dict[str, tuple[float, float]] = {
    "text_noise_scale": (0, 2),
    "anomaly_noise": (0, 1),
    "eta": (0, 1),
    "eta_mask": (0, 1),
    "guidance_scale": (0, 30),
    "guidance_scale_end": (0, 30),
    "guidance_scale_out": (0, 30),
    "guidance_rescale": (0, 1),
}


def check_options(
    given: dict[str, Any], num_inference_steps: int, guidance_scale: float, guidance_rescale: float = 0.0
) -> SamplerOptions:
    """Checked options; a None means the default, which for steps and guidance is the checkpoint's."""
    unknown = set(given) - {f for f in SamplerOptions.__dataclass_fields__}
    if unknown:
        raise InputError(sorted(unknown)[0][:60], "there is no such setting.")
    values = {name: value for name, value in given.items() if value is not None}
    for name, (low, high) in _RANGES.items():
        if name in values:
            values[name] = float(require_number(name, values[name], low, high))
    steps = int(
        require_number(
            "num_inference_steps", values.get("num_inference_steps", num_inference_steps), 1, 200, integer=True
        )
    )
    if "anomaly_stop_step" in values:
        values["anomaly_stop_step"] = int(
            require_number("anomaly_stop_step", values["anomaly_stop_step"], 0, 200, integer=True)
        )
    if "guidance_schedule" in values:
        require_choice("guidance_schedule", values["guidance_schedule"], GUIDANCE_SCHEDULES)
    if "use_random_mask" in values:
        require_choice("use_random_mask", values["use_random_mask"], (True, False))
    scale = values.setdefault("guidance_scale", guidance_scale)
    # The published schedule falls from 7.5 to 4.0; another start keeps its proportion.
    values.setdefault(
        "guidance_scale_end", scale if values.get("guidance_schedule") == "constant" else scale * 4.0 / 7.5
    )
    values.setdefault("guidance_scale_out", scale)
    values.setdefault("guidance_rescale", guidance_rescale)
    return SamplerOptions(**{**values, "num_inference_steps": steps})
