"""What every training loop needs: a state on disk that survives a kill, averaged weights, a learning-rate curve."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state atomically, so that a kill leaves the last whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state written last, or None at a fresh start (tensors and plain values only: nothing is unpickled freely)."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None


def start_from_weights(model: torch.nn.Module, folder: Path | None) -> int:
    """Take over the weights of equal name and shape from a saved model's safetensors files; returns how many."""
    if folder is None:
        return 0
    from safetensors.torch import load_file

    own, taken = model.state_dict(), 0
    for path in sorted(folder.glob("*.safetensors")):
        for name, tensor in load_file(path).items():
            if name in own and own[name].shape == tensor.shape:
                own[name].copy_(tensor)
                taken += 1
    return taken


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear warm-up, then a cosine down to 2% of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


class ExponentialMovingAverage:
    """Averages of parameters; the decay warms up as (1 + step) / (10 + step)."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float) -> None:
        self.decay, self.step = decay, 0
        self.parameters = list(parameters)
        self.average = [p.detach().clone() for p in self.parameters]

    def update(self) -> None:
        """Move the averages towards the parameters' present values."""
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` needs."""
        return {"step": self.step, "average": self.average}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.step = state["step"]
        for own, stored in zip(self.average, state["average"], strict=True):
            own.copy_(stored)

    def copy_to_parameters(self) -> None:
        """Replace the parameters by their averages."""
        for parameter, average in zip(self.parameters, self.average, strict=True):
            parameter.data.copy_(average)
